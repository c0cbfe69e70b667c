"""Jobs whose history the tests read, and a worker of this process that runs them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import pytest
from waiting import wait_until

from pipeline import dispatch, queues
from pipeline.broker import make_broker
from pipeline.errors import Permanent, RateLimited
from pipeline.jobs import current, reading
from pipeline.jobs.entries import Entry
from pipeline.queues import Job, Keep, Queue, StartLimit

PARCELS = Queue(
    "parcels",
    attempts=2,
    backoff_ms=3_600_000,
    priority=1,
    concurrency=4,
    keep_completed=Keep(1000),
    keep_failed=Keep(1000),
)
#: What to do with a parcel: its third argument says.
CARRY = Job("carry", PARCELS, ("user_id", "source", "note"), id="carry:{source}:{user_id}")
#: Of these, one starts in an hour for each user, and runs at a time for each mailbox.
STAMPS = Queue(
    "stamps",
    attempts=1,
    backoff_ms=1000,
    priority=1,
    concurrency=4,
    keep_completed=Keep(10),
    keep_failed=Keep(10),
    one_per="mailbox",
    limits=(StartLimit("user", 1, 3600),),
)
STAMP = Job("stamp", STAMPS, ("user_id", "mailbox_id"))


class Torn(Permanent):
    """What a parcel may be."""


class Carrier:
    """Carries until `go_on` is set, where a note says so; with `tape` it mends what is torn."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.tape = False

    def carry(self, user_id: str, source: str, note: str) -> None:
        """The job."""
        current.log_line("on the way", user_id=user_id)
        match note:
            case "torn" if not self.tape:
                raise Torn("the parcel is torn")
            case "nobody there":
                raise OSError("ada@example.com does not open")
            case "too many":
                raise RateLimited("ten a day", retry_after_seconds=3600)
            case "far":
                current.progress(0.5, "half way")
                self.go_on.wait(20)
            case "steps":
                while not self.go_on.wait(0.05):
                    pass
            case "many":
                dispatch.send("carry", user_id, f"{source}_child", "home")
        current.summarize(f"carried for {user_id}")

    def stamp(self, user_id: str, mailbox_id: str) -> None:
        """The other job; a user called `wait` is waited for."""
        if user_id == "wait":
            self.go_on.wait(20)


@contextmanager
def in_the_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the table know these queues and their jobs, too."""
    with monkeypatch.context() as patch:
        for job in (CARRY, STAMP):
            patch.setitem(queues.QUEUES, job.queue.name, job.queue)
            patch.setitem(queues.JOBS, job.name, job)
        yield


@contextmanager
def working(carrier: Carrier | None = None) -> Iterator[None]:
    """Run a worker in this process, as `dramatiq actors` would."""
    carrier = carrier or Carrier()
    broker = make_broker()
    for job, function in ((CARRY, carrier.carry), (STAMP, carrier.stamp)):
        dramatiq.actor(function, actor_name=job.name, queue_name=job.queue.name, broker=broker)
    served = {PARCELS.name, STAMPS.name}
    worker = dramatiq.Worker(broker, queues=served, worker_timeout=50, worker_threads=4)
    worker.start()
    try:
        yield
    finally:
        carrier.go_on.set()
        worker.stop()
        broker.close()


def send(user_id: str, source: str = "sofa", note: str = "home", **options: object) -> str:
    """Enqueue a parcel; return the message id."""
    options.setdefault("tenant_id", "acme")
    return dispatch.send("carry", user_id, source, note, **options).message_id  # type: ignore[arg-type]


def entry(message_id: str) -> Entry:
    """Return what history knows of a job, which it must."""
    found = reading.get(message_id)
    assert found is not None
    return found


def until_state(message_id: str, state: str) -> Entry:
    """Wait until a job is in a state."""
    wait_until(lambda: entry(message_id).state == state, f"the job is {state}")
    return entry(message_id)
