"""Bringing a user's graph up to what has landed, and rebuilding it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple

from pymongo.errors import PyMongoError

from pipeline.clients import graph
from pipeline.errors import LeaseLost, Misconfigured, Transient
from pipeline.metrics import PROJECTED, PROJECTION_FAILURES
from pipeline.projections.graph import watermark
from pipeline.projections.graph.changes import Batch, batches
from pipeline.projections.graph.model import SCHEMA
from pipeline.projections.graph.watermark import NAME, Lag
from pipeline.projections.graph.write import apply, erase, forget_fence
from pipeline.projections.lease import Lease, held, renew

logger = logging.getLogger(__name__)


class Advanced(NamedTuple):
    """What an advance has written."""

    records: int
    batches: int


def advance(user_id: str) -> Advanced:
    """Write what has landed of a user to the graph, until it has all.

    Does nothing while another writer is at it: that one looks again before it
    ends.  A failure is noted with the time of the next try, and raised.
    """
    records = batches_written = 0
    while watermark.lags(user_id):
        with held(NAME, user_id) as lease:
            if lease is None:
                return Advanced(records, batches_written)
            for batch in _catch_up(user_id, lease):
                records, batches_written = records + batch.records, batches_written + 1
    if not batches_written:
        watermark.settle(user_id)
    return Advanced(records, batches_written)


def _catch_up(user_id: str, lease: Lease) -> Iterator[Batch]:
    """Write what each source lacks; a batch that only one source has trouble with stops only it."""
    stuck: dict[str, Exception] = {}
    while lags := [lag for lag in watermark.lags(user_id) if lag.source not in stuck]:
        for lag in lags:
            try:
                yield from _advance_source(lag, lease)
            except LeaseLost:
                raise
            except (Transient, Misconfigured, PyMongoError) as error:
                _note_failure(user_id, error)
                raise
            except Exception as error:  # noqa: BLE001  raised below, once the others are done
                _note_failure(user_id, error, lag.source)
                stuck[lag.source] = error
    if stuck:
        raise next(iter(stuck.values()))


def _advance_source(lag: Lag, lease: Lease) -> Iterator[Batch]:
    reached = lag.seq
    with closing(watermark.records(lag)) as records:
        for batch in batches(records):
            apply(lag.user_id, lease.fence, batch.changes)
            renew(lease)
            watermark.move(lag, batch.seq, lease.fence)
            PROJECTED.labels(NAME, lag.source).inc(batch.records)
            reached = batch.seq
            yield batch
    if reached < lag.published:  # newer versions have replaced the last ones
        watermark.move(lag, lag.published, lease.fence)


def _note_failure(user_id: str, error: Exception, source: str | None = None) -> None:
    PROJECTION_FAILURES.labels(NAME).inc()
    try:
        watermark.failed(user_id, error, source)
    except PyMongoError as second:
        # It stays due as it was; the first error says more.
        logger.warning("Failure not noted", extra={"error": type(second).__name__})


def rebuild(user_id: str) -> None:
    """Delete the graph of a user and have everything written again by the next advance.

    Takes over from a writer that is at work.
    """
    with held(NAME, user_id, by_force=True) as lease:
        assert lease is not None
        # First, since an empty graph with high watermarks would stay empty.
        watermark.reset(user_id, lease.fence)
        _wipe(user_id, lease)


def wipe(user_id: str, *, keep_fence: bool = True) -> None:
    """Delete the graph of a user, also from under a writer that is at work.

    The one node that stays has the user's id and the fence, which keeps a stalled
    writer from adding anything; with `keep_fence` false it goes too.
    """
    with held(NAME, user_id, by_force=True) as lease:
        assert lease is not None
        _wipe(user_id, lease)
        if not keep_fence:
            forget_fence(user_id)


def _wipe(user_id: str, lease: Lease) -> None:
    erase(user_id, lease.fence, between=partial(renew, lease))


def ensure_schema() -> None:
    """Create the graph's missing constraints and indexes; the first write does it too."""
    graph.ensure_schema(SCHEMA)
