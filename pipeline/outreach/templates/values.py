"""What templates are filled with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2 import StrictUndefined

from pipeline.stores import Row

#: What was missed while the present template was filled.
_missed: ContextVar[set[str] | None] = ContextVar("headrace_template_missed", default=None)


class Missing(StrictUndefined):
    """Something that is not known; it is noted when somebody wants to read it.

    Asked in an {% if %} it is false, and `default` replaces it.
    """

    @property
    def _undefined_message(self) -> str:
        """What the error says that any other use of it raises."""
        self._note()
        return "not known"

    def __str__(self) -> str:  # type: ignore[override]
        self._note()
        return ""

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def _note(self) -> None:
        missed = _missed.get()
        if missed is not None:
            missed.add(self._full_name())

    def _full_name(self) -> str:
        name = str(self._undefined_name)
        owner = self._undefined_obj
        return f"{owner.path}.{name}" if isinstance(owner, Fields) else name


class Fields:
    """Fields by name, as templates see them: what is empty is not there."""

    __slots__ = ("_values", "path")

    def __init__(self, path: str, values: Mapping[str, Any]) -> None:
        self.path = path
        self._values = {name: value for name, value in values.items() if value not in (None, "")}

    def get(self, name: str) -> Any:
        """Return a field, or Missing."""
        if name in self._values:
            return self._values[name]
        return Missing(obj=self, name=name)

    def __str__(self) -> str:
        return ""


@contextmanager
def noting() -> Iterator[set[str]]:
    """Note in the set what is missed meanwhile, by name."""
    missed: set[str] = set()
    token = _missed.set(missed)
    try:
        yield missed
    finally:
        _missed.reset(token)


def values_of(
    contact: Row, sender: Row, tenant: Row | None, *, unsubscribe_url: str
) -> dict[str, Any]:
    """Return what a message to a contact may name, out of rows of the database."""
    person = {name: _clean(contact.get(name)) for name in _OF_CONTACT}
    fields = {name: _clean(value) for name, value in (contact.get("fields") or {}).items()}
    name = _clean(sender.get("display_name")) or _clean(sender.get("name"))
    about = {part: _clean((tenant or {}).get(part)) for part in ("name", "postal_address")}
    return {
        "contact": Fields("contact", person | {"fields": Fields("contact.fields", fields)}),
        "sender": Fields("sender", {"name": name, "address": sender.get("address")}),
        "tenant": Fields("tenant", about),
        "unsubscribe_url": unsubscribe_url,
    }


_OF_CONTACT = ("first_name", "last_name", "company", "email", "phone")


def _clean(value: Any) -> Any:
    """Return a value that a template may show: text, a number, or a list of those."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, tuple)):
        return [_clean(one) for one in value if isinstance(one, (str, int, float))]
    return value if isinstance(value, (int, float)) else None
