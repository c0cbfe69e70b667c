"""The queues and jobs of a chaos run, which workers and producers add to the table."""

from __future__ import annotations

from pipeline.queues import Job, Keep, Queue, StartLimit, add

#: More than a run has, so that every job's end can be counted.
_ALL = Keep(1_000_000)
ATTEMPTS = 4

MAIN = Queue(
    "chaos",
    attempts=ATTEMPTS,
    backoff_ms=200,
    priority=5,
    concurrency=4,
    keep_completed=_ALL,
    keep_failed=_ALL,
    limits=(StartLimit("user", 10, 5.0),),
)
SIDE = Queue(
    "chaos-side",
    attempts=ATTEMPTS,
    backoff_ms=300,
    backoff="fixed",
    priority=2,
    concurrency=2,
    keep_completed=_ALL,
    keep_failed=_ALL,
    one_per="mailbox",
)

RUN = Job("chaos", MAIN, ("user_id", "key", "behaviour"), id="chaos:{key}")
RUN_ALONE = Job("chaos_alone", SIDE, ("mailbox_id", "key", "behaviour"), id="chaos:{key}")
#: Known to producers only: what an older release had, and no worker runs any more.
RETIRED = Job("chaos_retired", MAIN, ("user_id", "key", "behaviour"), id="chaos:{key}")


def add_for_workers() -> None:
    """Add the queues and the jobs that have an actor."""
    add(MAIN, RUN)
    add(SIDE, RUN_ALONE)


def add_for_producers() -> None:
    """Add the same and a job that no worker knows."""
    add_for_workers()
    add(MAIN, RETIRED)
