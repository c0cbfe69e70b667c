"""The jobs of the benchmark: which queue they are on, whose they are, how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline import queues
from pipeline.queues import Job, Keep, Queue, StartLimit

#: What `dramatiq` is started with, and what BullMQ gets as processes and concurrency.
PROCESSES, THREADS = 2, 8

#: As busy as the table allows: all threads, a limit per user that is counted but never
#: reached, and the retention of data-sync.
QUEUE = Queue(
    "bench",
    attempts=3,
    backoff_ms=1000,
    priority=5,
    concurrency=THREADS,
    keep_completed=Keep(100),
    keep_failed=Keep(500),
    limits=(StartLimit("user", 1_000_000, 60.0),),
)
NOOP = Job("bench_noop", QUEUE, ("user_id", "item"))
STAMP = Job("bench_stamp", QUEUE, ("shot",))

#: Redis list of `<shot> <seconds since the epoch>`, one for each run of bench_stamp.
STAMPS = "bench:stamps"

#: Jobs are dealt to so many users, and those to so many tenants.
USERS, TENANTS = 500, 20


@dataclass(frozen=True, slots=True)
class Noop:
    """One job that does nothing, for one user of one tenant; its id is its own."""

    user_id: str
    item: str
    tenant_id: str


def noops(count: int) -> Iterator[Noop]:
    """Yield `count` jobs, dealt to users and tenants one after the other."""
    for number in range(count):
        user = number % USERS
        yield Noop(f"user-{user}", f"item-{number}", f"tenant-{user % TENANTS}")


def add_to_table() -> None:
    """Put the benchmark's queue and jobs into the table of this process."""
    queues.add(QUEUE, NOOP, STAMP)
