"""The observer: what landed of a mailbox becomes events, and work for its rules.

It is a projection with its own watermark.  All that comes of a batch of records is written
in one transaction, together with the watermark, which only the holder of the mailbox's
lease can move: whoever is killed anywhere loses nothing, and does nothing twice.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo import DeleteMany, UpdateMany, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from models import EmailEvent, Execution, SeenMail
from pipeline import dispatch
from pipeline.config import settings
from pipeline.errors import Gone, LeaseLost, Unfinished
from pipeline.mailbox import ledger, sighting, watermark
from pipeline.mailbox.event_rows import IDENTITY
from pipeline.mailbox.folders import SOURCE
from pipeline.mailbox.sighting import Sighting, Watch
from pipeline.mailbox.watermark import NAME, Lag, Lagging, lagging
from pipeline.metrics import PROJECTED, PROJECTION_FAILURES
from pipeline.projections.lease import Lease, held, renew
from pipeline.stores import Row, collection, mongodb

__all__ = ["Lagging", "Observed", "lagging", "observe"]

logger = logging.getLogger(__name__)

#: Records per transaction.
BATCH = 250


@dataclass(slots=True)
class Observed:
    """What an observation found: records looked at, events by type, mail that met a rule."""

    records: int = 0
    events: Counter[str] = field(default_factory=Counter)
    planned: int = 0


def observe(user_id: str, mailbox_id: str) -> Observed:
    """Look at what has landed of a mailbox, until all was looked at.

    Does nothing while another observer is at it, which looks again before it ends, nor while
    the mailbox is closed or its user not active.  Raises Gone if the user has no such mailbox,
    Unfinished when others should have their turn.  A failure is noted with the time of the
    next try, and raised.
    """
    observed, started = Observed(), time.monotonic()
    try:
        with mongodb().client.start_session() as session:
            while (lag := watermark.lag(user_id, mailbox_id)) is not None:
                with held(NAME, user_id, session=session) as lease:
                    if lease is None or not _catch_up(
                        lag, mailbox_id, lease, session, observed, started
                    ):
                        return observed
    except (LeaseLost, Unfinished):
        raise
    except Gone:
        watermark.rest(user_id, mailbox_id)
        raise
    except Exception as error:
        _note_failure(user_id, error)
        raise
    if not observed.records:
        watermark.settle(user_id)
    return observed


def _catch_up(
    lag: Lag | None,
    mailbox_id: str,
    lease: Lease,
    session: ClientSession,
    observed: Observed,
    started: float,
) -> bool:
    """Look at what lags; False if nobody may now."""
    while lag is not None:
        watch = sighting.watch(lag.user_id, mailbox_id, datetime.now(UTC))
        if watch.why_not:
            _rest(lag.user_id, mailbox_id)
            return False
        lag = _observe_batch(lag, watch, lease, session, observed)
        if lag is not None:
            renew(lease)
            if time.monotonic() - started > settings().sync_budget_seconds:
                raise Unfinished
    return True


def _observe_batch(
    lag: Lag, watch: Watch, lease: Lease, session: ClientSession, observed: Observed
) -> Lag | None:
    """Look at one batch, and return what is left."""
    records = watermark.records(lag, BATCH)
    found = sighting.look(watch, records)
    # Newer versions may have replaced the last ones: then there is nothing up to the end.
    reached = records[-1]["seq"] if len(records) == BATCH else lag.published

    def write(session: ClientSession) -> Lag | None:
        _write(found, watch, session)
        # Last, since whoever syncs waits for the state from here on.
        return watermark.move(lag, reached, lease.fence, session)

    left = session.with_transaction(write)
    PROJECTED.labels(NAME, SOURCE).inc(len(records))
    observed.records += len(records)
    observed.events += found.counts()
    observed.planned += len(found.executions)
    if found.executions:  # if this is lost, a tick finds that they are due
        mailbox = watch.mailbox
        dispatch.send(
            "work_mailbox", lag.user_id, mailbox["_id"], tenant_id=str(mailbox["tenant_id"])
        )
    return left


def _rest(user_id: str, mailbox_id: str) -> None:
    """Leave what landed until the mailbox is opened again, which makes it due."""
    watermark.rest(user_id, mailbox_id)
    if sighting.watch(user_id, mailbox_id, datetime.now(UTC)).why_not is None:
        watermark.wake(user_id)  # it was opened in between


def _write(found: Sighting, watch: Watch, session: ClientSession) -> None:
    """Write all that comes of a batch but the watermark."""
    if found.events:
        writes = [_insertion(row) for row in found.events]
        collection(EmailEvent).bulk_write(writes, ordered=False, session=session)
    if changed := _arrivals(found, watch):
        collection(EmailEvent).bulk_write(changed, ordered=False, session=session)
    if seen := _seen(found):
        collection(SeenMail).bulk_write(seen, ordered=False, session=session)
    if marks := _marks(found):
        collection(Execution).bulk_write(marks, ordered=False, session=session)
    if found.executions:
        ledger.add(found.executions, session)


def _insertion(row: Row) -> UpdateOne:
    """Insert an event unless it is there: numbers begin anew if a copy does."""
    identity = {name: row[name] for name in IDENTITY}
    return UpdateOne(identity, {"$setOnInsert": row}, upsert=True)


def _arrivals(found: Sighting, watch: Watch) -> list[UpdateMany]:
    """Return the writes that bring arrivals up to date, one for all that become alike."""
    alike: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for message_id, state in found.arrivals.items():
        alike.setdefault(tuple(sorted(state.items())), []).append(message_id)
    return [
        UpdateMany(
            {
                "mailbox_id": watch.mailbox["_id"],
                "message_id": {"$in": ids},
                "event_type": "arrived",
            },
            {"$set": dict(state) | {"updated_at": watch.now}},
        )
        for state, ids in alike.items()
    ]


def _seen(found: Sighting) -> list[UpdateOne | DeleteMany]:
    writes: list[UpdateOne | DeleteMany] = [
        UpdateOne({"_id": row_id}, {"$set": row}, upsert=True) for row_id, row in found.seen.items()
    ]
    if found.forgotten:
        writes.append(DeleteMany({"_id": {"$in": found.forgotten}}))
    return writes


def _marks(found: Sighting) -> list[UpdateOne]:
    return [
        UpdateOne({"_id": step.execution_id}, {"$set": {f"steps.{step.place}.observed": True}})
        for step in found.observed
    ]


def _note_failure(user_id: str, error: Exception) -> None:
    PROJECTION_FAILURES.labels(NAME).inc()
    try:
        watermark.failed(user_id, error)
    except PyMongoError as second:
        # It stays due as it was; the first error says more.
        logger.warning("Failure not noted", extra={"error": type(second).__name__})
