"""Steps of plans in words: what they do, and when a message is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.outreach.reading.words import length_in_words

#: What a plan sends by.
CHANNELS = {"email": "e-mail", "sms": "SMS"}
_AT_ONCE = ("PT0S", "P0D", "PT", "")


def carrier(node: Mapping[str, Any]) -> str:
    """Return what a step is, in a word: "e-mail", "SMS", "wait", "end"."""
    if node["action"] == "send":
        return CHANNELS[node.get("channel") or "email"]
    return "wait" if node["action"] == "wait" else "end"


def does(node: Mapping[str, Any]) -> str:
    """Return what a step does: "e-mail, after 2 d", "wait", "end"."""
    word = carrier(node)
    return f"{word}, {sent_when(node)}" if node["action"] == "send" else word


def sent_when(node: Mapping[str, Any]) -> str:
    """Return when a step is sent after it was come to."""
    schedule = node.get("schedule") or {}
    if schedule.get("at"):
        return f"at {schedule['at']}"
    delay = schedule.get("delay") or ""
    return "at once" if delay in _AT_ONCE else f"after {length_in_words(delay)}"
