"""What pydantic finds wrong with a plan, by its path and in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.outreach.plans.problems import Problem
from pipeline.outreach.plans.schema import (
    Defaults,
    Node,
    Plan,
    Quiet,
    Schedule,
    Timers,
    Transition,
)
from pipeline.words import suggestion

#: https://pydantic.dev/docs/validation/latest/errors/validation_errors/
_WORDS = {
    "missing": "is missing",
    "string_type": "is no text",
    "string_unicode": "holds half a character",
    "string_too_long": "is too long; give at most {max_length} characters",
    "tuple_type": "is no list; give one in square brackets",
    "too_short": "is empty; give at least {min_length}",
    "too_long": "has too many entries; give at most {max_length}",
    "model_type": "is no object; give one in braces",
    "model_attributes_type": "is no object; give one in braces",
    "literal_error": "is none of {expected}",
    "string_pattern_mismatch": (
        "is no id; give 1 to 64 letters, digits, points, hyphens or underlines"
    ),
}
_PARTS: dict[str, type[BaseModel]] = {
    "": Plan,
    "nodes": Node,
    "transitions": Transition,
    "schedule": Schedule,
    "quietHours": Quiet,
    "defaults": Defaults,
    "timers": Timers,
}


def told(errors: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Return the errors of a pydantic.ValidationError as problems."""
    return [Problem(path_of(error["loc"]), _words(error)) for error in errors]


def path_of(place: Iterable[str | int]) -> str:
    """Return a place as people write it: nodes[2].transitions[0].within."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def _words(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"is not known{_meant(error['loc'])}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error" and isinstance(error["input"], str):
        known = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return _WORDS[kind].format_map(context) + suggestion(error["input"], known)
    return _WORDS.get(kind, "is not as it should be").format_map(context)


def _meant(place: tuple[str | int, ...]) -> str:
    names = [part for part in place if isinstance(part, str)]
    part = _PARTS[names[-2] if len(names) > 1 else ""]
    return suggestion(names[-1], (_json_name(part, name) for name in part.model_fields))


def _json_name(part: type[BaseModel], name: str) -> str:
    return part.model_fields[name].serialization_alias or name
