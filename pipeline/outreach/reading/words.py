"""Durations, timers and triggers of plans, in words."""

from __future__ import annotations

from datetime import datetime

from pipeline.outreach.plans import durations
from pipeline.stores import Row

#: Events that come of a timer, and the length of it where a plan says nothing.
WAITED_FOR = {"no_open": "PT72H", "no_click": "PT24H"}
#: What an event is called, where its own name says too little.
EVENT_WORDS = {
    "no_open": "no open",
    "no_click": "no click",
    "spam_report": "reported as spam",
}


def event_in_words(event: str) -> str:
    """Return what happened: "opened", "no click"."""
    return EVENT_WORDS.get(event, event.replace("_", " "))


def length_in_words(iso: str | None) -> str:
    """Return an ISO 8601 duration as people say it: "3 d", "2 h 30 min"; itself if it is none."""
    return durations.in_words(str(iso)) if iso else ""


def elapsed(start: datetime | None, end: datetime) -> str:
    """Return how long after `start` the moment `end` was; empty if it is not known."""
    return durations.seconds_in_words((end - start).total_seconds(), 2) if start else ""


def rule_in_words(transition: Row, timers: Row) -> str:
    """Return when a transition of a stored plan is followed: "opened within 2 d"."""
    event, within, after = transition["on"], transition.get("within"), transition.get("after")
    said = event_in_words(event)
    if event in WAITED_FOR:
        return f"{said} within {length_in_words(after or waits_for(event, timers))}"
    if within:
        return f"{said} within {length_in_words(within)}"
    return f"{said}, {length_in_words(after)} or later" if after else said


def waits_for(event: str, timers: Row) -> str:
    """Return how long a plan waits for what did not happen, as an ISO 8601 duration."""
    return str(timers.get(f"{event}_after") or WAITED_FOR[event])
