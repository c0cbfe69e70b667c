"""Bringing a user's graph up to what has landed, and rebuilding it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from pipeline.clients import graph
from pipeline.projections.following import Follower, Written
from pipeline.projections.graph.changes import batches, fields_of
from pipeline.projections.graph.model import SCHEMA
from pipeline.projections.graph.write import apply, erase, forget_fence
from pipeline.projections.lease import Lease, held, renew
from pipeline.projections.watermark import Lag, Watermark
from pipeline.stores import Row

NAME = "graph"
watermark = Watermark(NAME, fields_of)


def _write(lag: Lag, lease: Lease, records: Iterable[Row]) -> Iterator[Written]:
    for batch in batches(records):
        apply(lag.user_id, lease.fence, batch.changes)
        yield Written(batch.records, batch.seq)


follower = Follower(watermark, _write)
advance = follower.advance


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
