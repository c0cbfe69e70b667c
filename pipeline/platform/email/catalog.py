"""The built-in templates: what each is for, and what may be named in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pipeline.refusals import Refused
from pipeline.words import suggestion

#: What every template may name beside its own: who it is for.
SHARED: Mapping[str, Any] = {"name": "Ada", "tenant": "Acme"}


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A template; `sample` has a value for all that may be named in it, for previews."""

    name: str
    purpose: str
    subject: str
    sample: Mapping[str, Any]

    @property
    def body(self) -> str:
        """The MJML."""
        return _read(f"{self.name}.mjml")

    @property
    def text(self) -> str:
        """The plain text."""
        return _read(f"{self.name}.txt")

    @property
    def values(self) -> Mapping[str, Any]:
        """All that may be named in it, with sample values."""
        return {**SHARED, **self.sample}


@cache
def _read(name: str) -> str:
    return (files("pipeline.platform.email") / "templates" / name).read_text(encoding="utf-8")


BUILT_IN: Mapping[str, BuiltIn] = {
    one.name: one
    for one in (
        BuiltIn(
            "notification",
            "Something that a user is told as soon as it happens",
            "{{ title }}",
            {
                "title": "3 mails wait to be deleted",
                "message": "A rule put them into your staging folder. Look at them by noon.",
                "kind": "staging_alert",
                "priority": "normal",
            },
        ),
        BuiltIn(
            "digest",
            "What a user is told once a day",
            "Your day: {{ day }}",
            {
                "day": "Tuesday, 1 December",
                "events": [{"title": "Planning", "at": "09:30", "place": "Room 4"}],
                "notifications": [{"title": "A habit was found", "message": "You file invoices."}],
                "staged": 3,
            },
        ),
        BuiltIn("test", "To see whether mail arrives", "A test of mail from Headrace", {}),
    )
}


def built_in(name: str) -> BuiltIn:
    """Return a template.  Raises Refused that suggests the nearest."""
    if name not in BUILT_IN:
        raise Refused("template", f"there is no template {name[:60]!r}{suggestion(name, BUILT_IN)}")
    return BUILT_IN[name]
