"""What a check of `headrace doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `note` is something to know that is not wrong.
Level = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how to mend it if it is wrong."""

    about: str
    level: Level
    text: str
    mend: str = ""


def ok(about: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(about, "ok", text)


def note(about: str, text: str, mend: str = "") -> Finding:
    """Return something to know."""
    return Finding(about, "note", text, mend)


def wrong(about: str, text: str, mend: str) -> Finding:
    """Return something that does not work as it should."""
    return Finding(about, "wrong", text, mend)
