"""The types of what Mail Send is given: nothing else is looked at before these are right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.outreach.sendgrid.errors import Problem

_NAMES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}

#: An object of strings by any name.
_TEXTS = {"*": str}
_PERSON = {"email": str, "name": str}
_SWITCH = {"enable": bool}
_PERSONALIZATION = {
    "to": [_PERSON],
    "cc": [_PERSON],
    "bcc": [_PERSON],
    "from": _PERSON,
    "subject": str,
    "headers": _TEXTS,
    "substitutions": _TEXTS,
    "custom_args": dict,
}
#: What each field is: a type, an object by its fields, or a list of what is in it.
#: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
REQUEST = {
    "personalizations": [_PERSONALIZATION],
    "from": _PERSON,
    "reply_to": _PERSON,
    "subject": str,
    "content": [{"type": str, "value": str}],
    "template_id": str,
    "headers": _TEXTS,
    "categories": [str],
    "custom_args": dict,
    "send_at": int,
    "asm": {"group_id": int, "groups_to_display": [int]},
    "mail_settings": {"*": _SWITCH},
    "tracking_settings": {"*": _SWITCH},
}


def misfits(value: Any, shape: Any, field: str = "") -> Iterator[Problem]:
    """What has the wrong type in `value`, by the name of the field."""
    kind = shape if isinstance(shape, type) else type(shape)
    if type(value) is not kind:
        expected, given = _NAMES[kind], _NAMES[type(value)]
        yield Problem(f"Invalid type. Expected: {expected}, given: {given}.", field or None)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from misfits(entry, shape[0], f"{field}.{number}")
    elif isinstance(value, dict) and isinstance(shape, dict):
        for name, entry in value.items():
            inner = shape.get(name, shape.get("*"))
            if inner is not None:
                yield from misfits(entry, inner, f"{field}.{name}".lstrip("."))
