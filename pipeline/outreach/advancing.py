"""Moving enrollments on: from where they are and what is known, by what is due now.

Whoever learns something (an event, a timer, a message that was sent, a pause that is over) writes
it and calls `advance` in the same transaction.  What follows depends only on what is known then,
so it does not matter who calls, how often, or in what order things became known.

Two at once on the same enrollment: both write to it (`looks`), so that MongoDB has one of them
begin again.  A campaign or tenant that is paused meanwhile is not written to: an action that came
into being at that moment is not carried out (everybody asks again before they act), and canceled
when next somebody looks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pymongo import InsertOne, UpdateOne
from pymongo.client_session import ClientSession

from models import Enrollment, EnrollmentTransition, OutreachEvent, ScheduledAction
from pipeline.config import settings
from pipeline.errors import Transient
from pipeline.outreach.actions import changes
from pipeline.outreach.batches import Batch, Walk, load
from pipeline.outreach.beats import beat_of
from pipeline.outreach.stepping import heed_sent, step_on
from pipeline.outreach.transactions import TOUCH
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Wake:
    """What a transaction has made due soon, for `promoting.nudge` once it is committed.

    `beats` are those in which timers are due, with their tenant.
    """

    sender_ids: frozenset[str] = frozenset()
    beats: frozenset[tuple[str, int]] = frozenset()

    def __or__(self, other: Wake) -> Wake:
        """Return what both have made due."""
        return Wake(self.sender_ids | other.sender_ids, self.beats | other.beats)


NOTHING = Wake()


@dataclass(slots=True)
class _Writes:
    enrollments: list[UpdateOne] = field(default_factory=list)
    transitions: list[InsertOne[Row]] = field(default_factory=list)
    events: list[UpdateOne] = field(default_factory=list)


def advance(session: ClientSession, enrollment_ids: Collection[str], now: datetime) -> Wake:
    """Move enrollments on as far as what is known about them leads, in the caller's transaction.

    What they are to do next is scheduled, and what does not apply any more is canceled.  Those
    that are over, or whose campaign or tenant is paused, stay where they are.
    """
    if not enrollment_ids:
        return NOTHING
    return carry(session, load(session, enrollment_ids), now)


def carry(session: ClientSession, batch: Batch, now: datetime) -> Wake:
    """Move a batch on and write it, with what its caller has changed of it already."""
    for walk in batch.walks:
        step_on(walk, now)
        if walk.moves:
            heed_sent(walk)
    actions = changes(session, batch, now)
    _write(session, batch)
    if actions.writes:
        collection(ScheduledAction).bulk_write(actions.writes, ordered=False, session=session)
    return _wake(actions.made, now)


def _write(session: ClientSession, batch: Batch) -> None:
    writes = _Writes()
    for walk in batch.walks:
        _gather(walk, writes)
    if writes.enrollments:
        done = collection(Enrollment).bulk_write(writes.enrollments, ordered=False, session=session)
        if done.matched_count != len(writes.enrollments):
            raise Transient("somebody else has moved an enrollment meanwhile")
    if writes.transitions:
        collection(EnrollmentTransition).bulk_write(
            writes.transitions, ordered=False, session=session
        )
    if writes.events:
        collection(OutreachEvent).bulk_write(writes.events, ordered=False, session=session)


def _gather(walk: Walk, writes: _Writes) -> None:
    """Add what is to be written of one enrollment."""
    row, before = walk.row, walk.before
    changed = {name: value for name, value in row.items() if before.get(name) != value}
    if changed or not walk.is_over:
        same = {"_id": row["_id"], "state_version": before["state_version"]}
        writes.enrollments.append(UpdateOne(same, {"$set": changed} | TOUCH if changed else TOUCH))
    writes.transitions += [InsertOne(transition) for transition in walk.transitions]
    writes.events += [
        UpdateOne({"_id": event["_id"]}, {"$setOnInsert": event}, upsert=True)
        for event in walk.synthetic
    ]
    writes.events += [
        UpdateOne({"_id": event_id}, {"$set": effect}) for event_id, effect in walk.used.items()
    ]


def _wake(made: list[Row], now: datetime) -> Wake:
    near = now + timedelta(seconds=settings().outreach_promotion_seconds)
    due = [row for row in made if row["due_at"] <= near]
    return Wake(
        frozenset(row["sender_id"] for row in due if row["kind"] == "send"),
        frozenset(
            (row["tenant_id"], beat_of(row["due_at"])) for row in due if row["kind"] == "timeout"
        ),
    )
