"""What forms about outreach send, as services want it."""

from __future__ import annotations

import json
from typing import Any

from pipeline.refusals import Refused
from pipeline.web.pages import Visit


def number(visit: Visit, name: str) -> int | None:
    """Return a field as a whole number, None if it is empty.  Raises Refused."""
    text = visit.said(name)
    if not text:
        return None
    if not text.isascii() or not text.isdecimal():
        raise Refused(name, "expected a whole number, 0 or more")
    return int(text)


def pairs(visit: Visit, name: str) -> dict[str, str]:
    """Return the lines "name = value" of a field.  Raises Refused."""
    found = {}
    for line in filter(None, map(str.strip, visit.said(name).splitlines())):
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise Refused(name, "expected a name and a value in each line, as: plan = gold")
        found[key.strip()] = value.strip()
    return found


def json_object(visit: Visit, name: str) -> dict[str, Any]:
    """Return the object that a field, or else the file beside it, holds as JSON.

    Raises Refused that says where the JSON ends to be such.
    """
    text = visit.said(name)
    upload = visit.form.get(f"{name}_file")
    if upload is not None and not isinstance(upload, str) and upload.filename:
        text = upload.file.read().decode("utf-8-sig", errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        why = getattr(error, "msg", "it cannot be read")
        raise Refused(name, f"this is no JSON: line {where[0]}, column {where[1]}: {why}") from None
    if not isinstance(value, dict):
        raise Refused(name, "expected an object, as in { … }")
    return value
