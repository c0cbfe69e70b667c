"""How contacts are told, and what may be set of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from pipeline.masking import masked_name
from pipeline.outreach.reading import names
from pipeline.refusals import Refused
from pipeline.stores import Row
from pipeline.web.api.common import Payload
from pipeline.web.api.outreach.common import HIDDEN, MASKED, NEXT, picked

#: Whole numbers that every program can read exactly: https://www.rfc-editor.org/rfc/rfc8259#section-6
_EXACT = 2**53 - 1
#: Of any other kind is refused by the name of its field, without those of what it might be.
_Value = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 500},
                {"type": "number", "minimum": -_EXACT, "maximum": _EXACT},
                {"type": "null"},
            ]
        }
    ),
]


class ContactChanges(Payload):
    """What is to change; what is left out stays as it is, null removes it."""

    external_id: str | None = Field(
        default=None, max_length=200, description="What another system calls it."
    )
    email: str | None = Field(default=None, max_length=320, description="An e-mail address.")
    phone: str | None = Field(
        default=None, max_length=20, description="A number with its country, as +4930123456."
    )
    first_name: str | None = Field(default=None, max_length=200, description="For templates.")
    last_name: str | None = Field(default=None, max_length=200, description="For templates.")
    company: str | None = Field(default=None, max_length=200, description="For templates.")
    time_zone: str | None = Field(
        default=None, max_length=64, description="An IANA name; null: that of the plan."
    )
    fields: dict[str, _Value] | None = Field(
        default=None,
        max_length=50,
        description="Further values for templates, `contact.fields.name`; of a change only "
        "those that are named, null removes one.",
    )

    def values_given(self) -> dict[str, Any]:
        """Return what was given.  Raises refusals.Refused for a value that cannot be kept."""
        given = self.model_dump(exclude_unset=True)
        for name, value in (self.fields or {}).items():
            _check(f"fields.{name}", value)
        if given.get("fields", {}) is None:
            del given["fields"]
        return given


class ContactWanted(ContactChanges):
    """A contact; it needs an e-mail address or a telephone number."""


def _check(field: str, value: Any) -> None:
    if isinstance(value, int | float) and not -_EXACT <= value <= _EXACT:
        raise Refused(field, "this number is too large to be exact; give it as a text")
    if isinstance(value, str) and any("\ud800" <= one <= "\udfff" for one in value):
        raise Refused(field, "this text holds half a character; give whole ones")


class ContactView(BaseModel):
    """A person that a tenant writes to."""

    id: str = Field(description="Its id.")
    external_id: str | None = Field(description=f"What another system calls it. {HIDDEN}")
    email: str | None = Field(description=MASKED)
    phone: str | None = Field(description=MASKED)
    first_name: str | None = Field(description=MASKED)
    last_name: str | None = Field(description=MASKED)
    company: str | None = Field(description=HIDDEN)
    time_zone: str | None = Field(description="An IANA name; null: that of the plan.")
    fields: dict[str, str | int | float | None] = Field(
        description="Further values by name, null without the scope `outreach:reveal`."
    )
    import_id: str | None = Field(description="The import that it came in with last.")
    forgotten_at: datetime | None = Field(
        description="Since when all that says who it was is gone."
    )
    created_at: datetime = Field(description="When it was added.")
    updated_at: datetime = Field(description="When it last changed.")


class ContactList(BaseModel):
    """A page of contacts, the newest first."""

    contacts: list[ContactView] = Field(description="The contacts.")
    next: str | None = Field(description=NEXT)


class ForgottenView(BaseModel):
    """What was removed when a contact was forgotten."""

    before: bool = Field(description="Whether it had been forgotten already.")
    messages: int = Field(description="Messages that do not say any more to whom they went.")
    enrollments: int = Field(description="Enrollments that were stopped for it.")


def contact_view(row: Row, *, reveal: bool) -> ContactView:
    """Return what is told of a contact."""
    same = ("time_zone", "import_id", "forgotten_at", "created_at", "updated_at")
    called = {name: row.get(name) for name in ("first_name", "last_name")}
    shown = called if reveal else {n: masked_name(v) or None for n, v in called.items()}
    fields: Row = row.get("fields") or {}
    return ContactView(
        **picked(row, same),
        **shown,
        id=row["_id"],
        external_id=row.get("external_id") if reveal else None,
        email=names.address(row.get("email"), reveal=reveal) or None,
        phone=names.address(row.get("phone"), reveal=reveal) or None,
        company=row.get("company") if reveal else None,
        fields=fields if reveal else dict.fromkeys(fields),
    )
