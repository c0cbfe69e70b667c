"""Which states get no job for now: those of paused scopes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from models import DEFAULT_TENANT
from pipeline.jobs.controls import Pause, pauses
from pipeline.stores import Row
from pipeline.sync.lanes import LANES, Lane, lane_of

#: Which field of a state a paused scope is about.
_FIELDS = {"source": "source", "tenant": "tenant_id", "user": "user_id", "mailbox": "mailbox_id"}


def pauses_of_syncs(lane: Lane | None = None) -> list[Pause]:
    """Return the pauses that keep syncs of `lane`, or any, from starting.  Raises RedisError."""
    lanes = LANES if lane is None else (lane,)
    return [pause for pause in pauses() if any(_concerns(pause, one) for one in lanes)]


def _concerns(pause: Pause, lane: Lane) -> bool:
    kind, _, value = pause.scope.partition(":")
    match kind:
        case "queue":
            return value == lane.queue.name
        case "source":
            return value in lane.sources
        case "mailbox":
            return lane.queue.one_per == "mailbox"
        case _:
            return kind in _FIELDS


def scopes_of(state: Row, tenant_id: str) -> set[str]:
    """Return the scopes whose pause holds up the syncs of a state."""
    held = {name: state.get(field) for name, field in _FIELDS.items() if name != "tenant"}
    held |= {"tenant": tenant_id, "queue": lane_of(state["source"]).queue.name}
    return {f"{name}:{value}" for name, value in held.items() if value}


def kind_of(pause: Pause) -> str:
    """Return what sort of scope is paused: queue, source, tenant, user …"""
    return pause.scope.partition(":")[0]


def not_held(by: Iterable[Pause]) -> Row:
    """Return the conditions, as a query, under which none of these pauses is about a state."""
    held: dict[str, list[str | None]] = {}
    for pause in by:
        kind, _, value = pause.scope.partition(":")
        if kind in _FIELDS:
            held.setdefault(_FIELDS[kind], []).append(value)
    if DEFAULT_TENANT in held.get("tenant_id", ()):
        held["tenant_id"].append(None)  # a state that is older than its field
    return {name: {"$nin": values} for name, values in held.items()}


def in_words(pause: Pause) -> str:
    """Return what is paused until when, by whom and why: "google_gmail: paused until …"."""
    kind, _, name = pause.scope.partition(":")
    what = name if kind == "source" else f"{kind} {name}"
    by = f" by {pause.by}" if pause.by and kind != "source" else ""
    reason = f", {pause.reason}" if pause.reason else ""
    return f"{what}: paused{by} {_until(pause.until)}{reason}"


def _until(end: datetime | None) -> str:
    if end is None:
        return "until somebody resumes it"
    day = "" if end.date() == datetime.now(UTC).date() else f"{end:%Y-%m-%d} "
    return f"until {day}{end:%H:%M:%S} UTC"
