"""From what there is to what there should be: which subscriptions to make, renew and stop.

Nothing here asks a store or a provider: everything is a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from pipeline.stores import Row

#: Statuses in which a row is of no more consequence.
OVER = ("stopped", "expired")
#: Asked for in vain; to be tried again when their time has come.
REFUSED = ("failed", "unsupported")


@dataclass(slots=True)
class Plan:
    """What to do.

    `ask` has the streams for which the provider is to be asked, each with the
    row that the new one follows, or that goes on: None if it is the first.
    `stop`: the provider must be told.  `retire`: there is nothing to tell it.
    """

    ask: list[tuple[str, Row | None]] = field(default_factory=list)
    stop: list[Row] = field(default_factory=list)
    retire: list[Row] = field(default_factory=list)

    def give_up(self, row: Row, now: datetime) -> None:
        """Do away with `row`, unless somebody is at it."""
        if row["status"] in OVER:
            return
        if row["status"] in ("pending", "stopping") and row["retry_at"] > now:
            return
        known = row.get("expires_at") is not None and row["expires_at"] > now
        (self.stop if known else self.retire).append(row)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rows of a state promise: that everything is pushed until `live_until`, if at
    all, and that nothing is to be done before `due_at`."""

    live_until: datetime | None
    due_at: datetime | None


def is_live(row: Row, target: str, now: datetime) -> bool:
    """Return whether the provider pushes by this row, to where we listen."""
    return bool(row["status"] == "active" and row["target"] == target and row["expires_at"] > now)


def plan(
    streams: Iterable[str], rows: Iterable[Row], *, target: str, in_place: bool, now: datetime
) -> Plan:
    """Return what brings `rows` to one live subscription for each of `streams`."""
    made = Plan()
    by_stream = _by_stream(rows)
    for stream in streams:
        _plan_stream(made, stream, by_stream.pop(stream, []), target, in_place, now)
    for row in chain.from_iterable(by_stream.values()):
        made.give_up(row, now)
    return made


def _plan_stream(
    made: Plan, stream: str, rows: list[Row], target: str, in_place: bool, now: datetime
) -> None:
    live = next((row for row in rows if is_live(row, target, now)), None)
    others = [row for row in rows if row is not live]
    if any(row.get("held_by") for row in rows):
        spared = None
    elif any(_busy(row, target, now) for row in rows):
        return
    elif live is not None and live["retry_at"] > now:
        spared = live
    else:
        going = [row for row in others if row["status"] not in ("stopping", *OVER)]
        before = live or next(iter(going), None)
        made.ask.append((stream, before))
        # A live one pushes until the new one does.
        spared = before if in_place else live
    for row in rows:
        if row is not spared:
            made.give_up(row, now)


def _busy(row: Row, target: str, now: datetime) -> bool:
    """Return whether somebody is asking just now, or it is too early to ask again."""
    early: bool = row.get("retry_at") is not None and row["retry_at"] > now
    refused = row["status"] in REFUSED and row["target"] == target
    return early and (refused or row["status"] == "pending")


def outlook(streams: Iterable[str], rows: Iterable[Row], *, target: str, now: datetime) -> Outlook:
    """Return what may be expected of `rows`.

    A stream that the provider pushes for nobody needs no subscription; if no
    stream has one, nothing is pushed.
    """
    by_stream = _by_stream(rows)
    ends: list[datetime | None] = []
    due = [row["retry_at"] for own in by_stream.values() for row in own if _stopping(row)]
    for stream in streams:
        own = by_stream.get(stream, [])
        live = [row for row in own if is_live(row, target, now)]
        refused = [row for row in own if row["status"] in REFUSED and row["target"] == target]
        if live or not any(row["status"] == "unsupported" for row in refused):
            ends.append(max((row["expires_at"] for row in live), default=None))
        if not any(row.get("held_by") for row in own):
            asking = [row for row in own if row["status"] == "pending"]
            # What was refused says when to ask again, also while an older one still lives.
            due.append(min((r["retry_at"] for r in asking or refused or live), default=now))
    known = [end for end in ends if end is not None]
    complete = known and len(known) == len(ends)
    return Outlook(min(known) if complete else None, min(due, default=None))


def _stopping(row: Row) -> bool:
    return bool(row["status"] == "stopping")


def _by_stream(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows by stream, newest first."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["created_at"], reverse=True):
        found.setdefault(row["stream"], []).append(row)
    return found
