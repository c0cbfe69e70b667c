"""Bringing a user's part of a derived store up to what has landed: what all projections share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from pymongo.errors import PyMongoError

from pipeline.errors import LeaseLost, Misconfigured, Transient
from pipeline.metrics import PROJECTED, PROJECTION_FAILURES
from pipeline.projections.lease import Lease, held, renew
from pipeline.projections.watermark import Lag, Watermark
from pipeline.stores import Row

logger = logging.getLogger(__name__)


class Written(NamedTuple):
    """What was written at once: so many records, the last of which has `seq`."""

    records: int
    seq: int


class Advanced(NamedTuple):
    """What an advance has written."""

    records: int
    batches: int


#: Writes records of a source, which come in the order of `seq`, batch by batch, and yields each
#: once it is durable.  Written again, or over what is newer, it must change nothing.
Write = Callable[[Lag, Lease, Iterable[Row]], Iterator[Written]]


@dataclass(frozen=True)
class Follower:
    """A projection: where it stopped, and how it writes what has landed since."""

    watermark: Watermark
    write: Write

    @property
    def name(self) -> str:
        """What the projection is called in leases, metrics and sync states."""
        return self.watermark.name

    def advance(self, user_id: str) -> Advanced:
        """Write what has landed of a user, until the projection has all.

        Does nothing while another writer is at it: that one looks again before it
        ends.  A failure is noted with the time of the next try, and raised.
        """
        records = batches = 0
        while self.watermark.lags(user_id):
            with held(self.name, user_id) as lease:
                if lease is None:
                    return Advanced(records, batches)
                for written in self._catch_up(user_id, lease):
                    records, batches = records + written.records, batches + 1
        if not batches:
            self.watermark.settle(user_id)
        return Advanced(records, batches)

    def _catch_up(self, user_id: str, lease: Lease) -> Iterator[Written]:
        """Write what each source lacks; what only one source has trouble with stops only it."""
        stuck: dict[str, Exception] = {}
        while lags := [lag for lag in self.watermark.lags(user_id) if lag.source not in stuck]:
            for lag in lags:
                try:
                    yield from self._advance_source(lag, lease)
                except LeaseLost:
                    raise
                except (Transient, Misconfigured, PyMongoError) as error:
                    self._note_failure(user_id, error)
                    raise
                except Exception as error:  # noqa: BLE001  raised below, once the others are done
                    self._note_failure(user_id, error, lag.source)
                    stuck[lag.source] = error
        if stuck:
            raise next(iter(stuck.values()))

    def _advance_source(self, lag: Lag, lease: Lease) -> Iterator[Written]:
        reached = lag.seq
        with closing(self.watermark.records(lag)) as records:
            for written in self.write(lag, lease, records):
                renew(lease)
                self.watermark.move(lag, written.seq, lease.fence)
                PROJECTED.labels(self.name, lag.source).inc(written.records)
                reached = written.seq
                yield written
        if reached < lag.published:  # newer versions have replaced the last ones
            self.watermark.move(lag, lag.published, lease.fence)

    def _note_failure(self, user_id: str, error: Exception, source: str | None = None) -> None:
        PROJECTION_FAILURES.labels(self.name).inc()
        try:
            self.watermark.failed(user_id, error, source)
        except PyMongoError as second:
            # It stays due as it was; the first error says more.
            logger.warning("Failure not noted", extra={"error": type(second).__name__})
