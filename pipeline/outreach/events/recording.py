"""Facts about messages: kept once each, with all that follows from them, in one transaction.

Nothing depends on the order in which they come, nor on how often: what was kept already is
passed over, times are those of the first of a kind, suppressions add up, and enrollments move
by what is known about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from models.outreach import OutboundMessage, OutreachEvent
from pipeline import metrics
from pipeline.outreach import suppressions
from pipeline.outreach.advancing import Wake, advance
from pipeline.outreach.events import explaining, opting
from pipeline.outreach.events.told import Event
from pipeline.outreach.promoting import nudge
from pipeline.outreach.sending import proven
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

#: Times that two may be in each other's way with the same new event.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of some events: those that were new, and what is to be done soon."""

    new: tuple[Event, ...]
    wake: Wake


def recorded(events: Sequence[Event]) -> Recorded:
    """Keep events, do what follows from them, and have done at once what is due soon."""
    return committed(lambda session: record(session, events))


def committed(work: Callable[[ClientSession], Recorded]) -> Recorded:
    """Record what `work` finds out in a transaction of its own, and have done what is due soon."""
    for _ in range(_TRIES - 1):
        try:
            return _committed(work)
        except (BulkWriteError, DuplicateKeyError):
            continue  # somebody else was in the way, and is done by now
    return _committed(work)


def _committed(work: Callable[[ClientSession], Recorded]) -> Recorded:
    done = transaction(work)
    nudge(done.wake)
    for event in done.new:
        metrics.OUTREACH_EVENTS.labels(event.told.provider, event.told.type).inc()
    return done


def record(session: ClientSession, events: Sequence[Event]) -> Recorded:
    """Keep events and do what follows from them, in the caller's transaction."""
    now = datetime.now(UTC)
    new = [_until(now, event) for event in _unknown(session, events)]
    if new:
        rows = [_row(event, now) for event in new]
        collection(OutreachEvent).insert_many(rows, ordered=False, session=session)
        _note_times(session, new, now)
    proofs = _proofs(events, now)
    moved = proven(session, proofs, "an event told of it") if proofs else set()
    moved |= {event.message["enrollment_id"] for event in new if not event.told.is_machine}
    objections = opting.heed(session, new)
    wake = advance(session, moved, now)
    if objections:
        wake |= suppressions.stop_all(session, objections, _led(session, new))
    explaining.explain(session, new)
    return Recorded(tuple(new), wake)


def _led(session: ClientSession, events: Iterable[Event]) -> set[str]:
    """Return the enrollments that an event has led somewhere, as their plan says: not stopped."""
    ids = [event.told.id for event in events if event.told.suppress]
    wanted: Row = {"_id": {"$in": ids}, "led_to": {"$ne": None}}
    found = collection(OutreachEvent).find(wanted, {"enrollment_id": 1}, session=session)
    return {str(row["enrollment_id"]) for row in found}


def _until(now: datetime, event: Event) -> Event:
    """Return an event that has not happened yet, by a clock that is ahead, as of now."""
    if event.told.occurred_at <= now:
        return event
    return replace(event, told=replace(event.told, occurred_at=now))


def _unknown(session: ClientSession, events: Iterable[Event]) -> list[Event]:
    """Return the events that are not kept yet, each once."""
    by_id: dict[str, Event] = {}
    for event in events:
        if event.told.type:
            by_id.setdefault(event.told.id, event)
    if not by_id:
        return []
    wanted = {"_id": {"$in": list(by_id)}}
    for row in collection(OutreachEvent).find(wanted, {"_id": 1}, session=session):
        del by_id[row["_id"]]
    return list(by_id.values())


def _row(event: Event, now: datetime) -> Row:
    told, message = event.told, event.message
    of_message = ("tenant_id", "campaign_id", "enrollment_id", "contact_id", "node_id")
    row: Row = {name: message[name] for name in of_message}
    row |= {
        "_id": told.id,
        "message_id": message["_id"],
        "provider": told.provider,
        "type": told.type,
        "occurred_at": told.occurred_at,
        "received_at": now,
        "data": dict(told.data),
    }
    if told.is_machine:
        row["is_machine"] = True
    if event.delivery_id:
        row["delivery_id"] = event.delivery_id
    return row


def _note_times(session: ClientSession, events: Iterable[Event], now: datetime) -> None:
    """Note on each message when the first of each kind happened, but for what machines do."""
    times: dict[str, Row] = {}
    for event in events:
        told = event.told
        if told.type != "resubscribed" and not told.is_machine:
            known = times.setdefault(event.message["_id"], {})
            name = f"{told.type}_at"
            known[name] = min(known.get(name, told.occurred_at), told.occurred_at)
    writes = [
        UpdateOne({"_id": message_id}, {"$min": first, "$set": {"updated_at": now}})
        for message_id, first in times.items()
    ]
    if writes:
        collection(OutboundMessage).bulk_write(writes, ordered=False, session=session)


def _proofs(events: Iterable[Event], now: datetime) -> dict[str, datetime]:
    """Return the messages of which it was not known yet that they were sent, and since when."""
    proofs: dict[str, datetime] = {}
    for event in events:
        if event.message["state"] != "sent":
            message_id, at = event.message["_id"], min(event.told.occurred_at, now)
            proofs[message_id] = min(proofs.get(message_id, at), at)
    return proofs
