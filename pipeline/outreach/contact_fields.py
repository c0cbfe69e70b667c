"""What a contact may consist of; each value is checked here, and brought into one form.

Refusals name the field and what would do, never the value: it may be somebody's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat

from models import Contact
from pipeline.outreach.time_zones import zone
from pipeline.refusals import Refused
from pipeline.stores import Row

#: What a contact has beside `fields`, in the order in which it is shown.
NAMES = (
    *("external_id", "email", "phone", "first_name", "last_name", "company", "time_zone"),
)  # fmt: skip
#: What tells contacts apart, the surest first.
KEYS = ("external_id", "email", "phone")
MOST_FIELDS = 50
MOST_CHARACTERS = 500
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def normalized(values: Mapping[str, Any]) -> Row:
    """Return values as they are stored; None where one is to be removed.  Raises Refused.

    `fields` holds further values by name.  What is not named is left out.
    """
    found: Row = {}
    for name, value in values.items():
        if name == "fields":
            found[name] = _fields(value)
        elif name in NAMES:
            found[name] = plain(name, value)
        else:
            known = f"there are {', '.join(NAMES)} and fields"
            raise Refused(name, f"there is no such field; {known}")
    return found


def plain(name: str, value: Any) -> str | None:
    """Return the value of one of NAMES as it is stored, None if it is empty.  Raises Refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(name, "expected a text")
    text = value.strip()
    if not text:
        return None
    _check_text(name, text, int(Contact._fields[name].max_length))
    match name:
        case "email":
            return email(text)
        case "phone":
            return phone(text)
        case "time_zone":
            return zone(text)
    return text


def email(text: str, field: str = "email") -> str:
    """Return an e-mail address in lower case.  Raises Refused.

    Nobody is asked whether there is such a mailbox.
    """
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:  # its text may repeat the address
        raise Refused(field, "this is not an e-mail address") from None
    return found.normalized.lower()


def phone(text: str, field: str = "phone") -> str:
    """Return a telephone number in E.164, such as +4930123456.  Raises Refused."""
    if not text.startswith("+"):
        raise Refused(field, "expected an international number that begins with +, as +4930123456")
    try:
        number = phonenumbers.parse(text)
    except NumberParseException:
        raise Refused(
            field, "this is not a telephone number; expected such as +4930123456"
        ) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(
            field, "nobody can have this telephone number: look at its country and length"
        )
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(maxsize=1024)
def field_name(name: str) -> str:
    """Return `name` if a further field may be called so.  Raises Refused."""
    if not FIELD_NAME.fullmatch(name):
        raise Refused(
            f"fields.{name[:64]}",
            "names of fields are lower-case letters, digits and _, a letter first, 64 at most",
        )
    if name in NAMES:
        raise Refused(f"fields.{name}", "a contact has this of its own: give it beside fields")
    return name


def field_value(name: str, value: Any) -> str | int | float | None:
    """Return the value of a further field, None if it is empty.  Raises Refused."""
    if isinstance(value, str):
        text = value.strip()
        _check_text(f"fields.{name}", text, MOST_CHARACTERS)
        return text or None
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise Refused(f"fields.{name}", "expected a text or a number")


def require_few(count: int) -> None:
    """Raise Refused if that many further fields are too many."""
    if count > MOST_FIELDS:
        raise Refused("fields", f"a contact has {MOST_FIELDS} fields at most, not {count}")


def _fields(values: Any) -> Row:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise Refused("fields", "expected an object with a value for each name")
    return {field_name(name): field_value(name, value) for name, value in values.items()}


def _check_text(field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise Refused(field, f"{len(text)} characters are too many; {most} fit")
    if _CONTROLS.search(text):
        raise Refused(field, "control characters cannot be kept")
