"""Checks items against the schemas that Google publishes for its APIs."""

import base64
import json
import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient.discovery_cache

_DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
_SCHEMAS = {
    "calendars": ("calendar.v3", "CalendarListEntry"),
    "events": ("calendar.v3", "Event"),
    "messages": ("gmail.v1", "Message"),
    "connections": ("people.v1", "Person"),
    "tasklists": ("tasks.v1", "TaskList"),
    "tasks": ("tasks.v1", "Task"),
}
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_WHOLE_NUMBER = re.compile(r"\d{1,19}")


class WrongShape(AssertionError):
    """An item has a field that its schema does not allow."""


@cache
def _schemas(document: str) -> dict[str, Any]:
    text = (_DOCUMENTS / f"{document}.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["schemas"])


def check(stream: str, item: dict[str, Any]) -> None:
    """Raise WrongShape unless an item of this stream matches Google's schema."""
    document, name = _SCHEMAS[stream.partition("/")[0]]
    _check_object(_schemas(document), _schemas(document)[name], item, name)


def _check(schemas: dict[str, Any], schema: dict[str, Any], value: Any, path: str) -> None:
    if "$ref" in schema:
        _check_object(schemas, schemas[schema["$ref"]], value, path)
    elif schema["type"] == "array":
        if not isinstance(value, list):
            raise WrongShape(f"{path}: not a list")
        for index, element in enumerate(value):
            _check(schemas, schema["items"], element, f"{path}[{index}]")
    elif schema["type"] == "object":
        _check_object(schemas, schema, value, path)
    elif schema["type"] != "any":
        _check_scalar(schema, value, path)


def _check_object(schemas: dict[str, Any], schema: dict[str, Any], value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise WrongShape(f"{path}: not an object")
    for key, element in value.items():
        known = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
        if known is None:
            raise WrongShape(f"{path}.{key}: no such field")
        _check(schemas, known, element, f"{path}.{key}")


def _check_scalar(schema: dict[str, Any], value: Any, path: str) -> None:
    expected = _PYTHON_TYPES[schema["type"]]
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise WrongShape(f"{path}: {type(value).__name__} instead of {schema['type']}")
    if "enum" in schema and value not in schema["enum"]:
        raise WrongShape(f"{path}: {value!r} is none of the values")
    try:
        _check_format(schema.get("format"), value)
    except ValueError as error:
        raise WrongShape(f"{path}: {value!r} is no {schema['format']}") from error


def _check_format(name: str | None, value: Any) -> None:
    if name == "date":
        date.fromisoformat(value)
    elif name in ("date-time", "google-datetime"):
        _require(_RFC3339, value)
        datetime.fromisoformat(value)
    elif name in ("int64", "uint64"):
        _require(_WHOLE_NUMBER, value)
    elif name == "byte":
        base64.b64decode(value, altchars=b"-_", validate=True)
    elif name == "int32" and not -(2**31) <= value < 2**31:
        raise ValueError("too large for 32 bits")


def _require(pattern: re.Pattern[str], value: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"does not match {pattern.pattern}")
