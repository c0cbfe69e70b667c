"""Scopes that a person typed, such as `queue:graph` or `user:ada`."""

from __future__ import annotations

from typing import get_args

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import require_queue, require_schedule, require_source, suggestion
from pipeline.queues import QUEUES, Scope

KINDS: tuple[str, ...] = (*get_args(Scope), "schedule")


def scope_of(text: str) -> str:
    """Return the scope that `text` names; a queue may stand alone.

    Raises WrongUse for an unknown kind, queue or source, with the nearest one.
    """
    if text in QUEUES:
        return f"queue:{text}"
    kind, colon, value = text.partition(":")
    if not colon:
        hint = suggestion(text, QUEUES) or f"; expected <kind>:<value> with {_KINDS}"
        raise WrongUse(f"{text!r} is neither a queue nor a scope{hint}")
    if kind not in KINDS:
        hint = suggestion(kind, KINDS) or f"; expected {_KINDS}"
        raise WrongUse(f"there is no kind of scope {kind!r}{hint}")
    if not value.strip() or not value.isprintable():
        raise WrongUse(f"which {kind}? expected {kind}:<value>, printable")
    if kind == "queue":
        require_queue(value)
    elif kind == "source":
        require_source(value)
    elif kind == "schedule":
        require_schedule(value)
    return text


_KINDS = f"one of {', '.join(KINDS)}"
