"""Jobs that behave as they are told, and the workers that run them: here, or in processes.

What a job does is in its `behaviour`: a word, a number of seconds, and `once` if it behaves
so only when it is first delivered.  What it did goes to a file, for Redis is what these tests
break.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dramatiq
import psutil
import pytest
from dramatiq.middleware.threading import raise_thread_exception
from environments import environment

from pipeline import queues
from pipeline.broker import make_broker
from pipeline.jobs import reading
from pipeline.jobs.broker import HeadraceBroker
from pipeline.jobs.current import Current, current, log_line, progress, summarize
from pipeline.jobs.entries import Entry
from pipeline.jobs.layout import of_queue
from pipeline.jobs.names import actor_options
from pipeline.jobs.sending import Send, Sent, enqueue
from pipeline.queues import Job, Keep, Queue
from pipeline.stores import redis_client

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
WITNESS_VARIABLE = "HEADRACE_TEST_WITNESS"

QUEUE = Queue(
    "faults",
    attempts=3,
    backoff_ms=100,
    priority=5,
    concurrency=16,
    keep_completed=Keep(50_000),
    keep_failed=Keep(1000),
)
#: Of one mailbox, only one runs at a time.
ALONE = Queue(
    "faults-alone",
    attempts=3,
    backoff_ms=100,
    priority=5,
    concurrency=16,
    keep_completed=Keep(1000),
    keep_failed=Keep(1000),
    one_per="mailbox",
)
WORK = Job("work", QUEUE, ("user_id", "key", "behaviour"), id="work:{key}", rerun=True)
WORK_ALONE = Job("work_alone", ALONE, ("mailbox_id", "key", "behaviour"), id="work_alone:{key}")

#: A fleet that is quick to notice: dead after 2 s of silence, looked for all the time.
QUICK = {
    "WORKER_TIMEOUT_SECONDS": "2",
    "LEASE_SECONDS": "1",
    "SWEEP_SECONDS": "0.3",
    "LOG_LEVEL": "INFO",
}


def only_these_jobs(patch: pytest.MonkeyPatch) -> None:
    """Have the table know the queues and jobs of this file and no others."""
    for table in (queues.JOBS, queues.QUEUES):
        for name in reversed(list(table)):  # put back in the order in which they were
            patch.delitem(table, name)
    for queue, job in ((QUEUE, WORK), (ALONE, WORK_ALONE)):
        patch.setitem(queues.QUEUES, queue.name, queue)
        patch.setitem(queues.JOBS, job.name, job)


def work(user_id: str, key: str, behaviour: str) -> None:
    """Run a job of QUEUE."""
    _behave(key, behaviour)


def work_alone(mailbox_id: str, key: str, behaviour: str) -> None:
    """Run a job of ALONE."""
    _behave(key, behaviour)


def declare_actors(broker: HeadraceBroker) -> None:
    """Let `broker` run the jobs."""
    for function in (work, work_alone):
        dramatiq.actor(function, broker=broker, **actor_options(function.__name__))


def _behave(key: str, behaviour: str) -> None:
    name, seconds, *once = f"{behaviour} 0".split()[:3]
    job = witness("start", key)
    if "once" not in once or job.delivery == 1:
        _BEHAVIOURS[name](float(seconds))
    witness("end", key)


def _listen(seconds: float) -> None:
    """Take a while, and hear at once that it shall stop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def _kill_worker(_seconds: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_consumer(_seconds: float) -> None:
    """Have the thread that fetches end, without a word."""
    [thread] = [t for t in threading.enumerate() if getattr(t, "queue_name", "") == ALONE.name]
    assert thread.ident is not None
    raise_thread_exception(thread.ident, SystemExit)


def _summarize(_seconds: float) -> None:
    """Say what no protocol carries: half of a character, and what ends a text elsewhere."""
    summarize("half a \ud83d and a \x00")


def _chatter(_seconds: float) -> None:
    """Say more than anybody wants to read, or to keep."""
    summarize("s" * 100_000)
    progress(0.5, "p" * 100_000)
    for _ in range(300):
        log_line("l" * 100_000, more="m" * 100_000)


_BEHAVIOURS: dict[str, Callable[[float], None]] = {
    "quick": time.sleep,
    "listen": _listen,
    "deaf": time.sleep,  # one call into C: no exception reaches it
    "summarize": _summarize,
    "chatter": _chatter,
    "kill_worker": _kill_worker,
    "kill_consumer": _kill_consumer,
}


@dataclass(frozen=True)
class Sight:
    """What a job did: `start` or `end`, when, and in which process."""

    at: float
    pid: int
    what: str
    key: str
    attempt: int
    delivery: int


def witness(what: str, key: str) -> Current:
    """Add a line to the file that all processes of a test write to; return the job."""
    job = current()
    assert job is not None
    line = f"{time.time()} {os.getpid()} {what} {key} {job.attempt} {job.delivery}\n"
    file = os.open(os.environ[WITNESS_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)
    return job


def sights(what: str = "", key: str = "") -> list[Sight]:
    """Return what was seen so far, in order; only what matches, if that is given."""
    path = Path(os.environ[WITNESS_VARIABLE])
    seen = []
    for line in path.read_text().splitlines() if path.exists() else ():
        at, pid, event, name, attempt, delivery = line.split(" ")
        if what in ("", event) and key in ("", name):
            seen.append(Sight(float(at), int(pid), event, name, int(attempt), int(delivery)))
    return seen


def keys(what: str) -> list[str]:
    """Return the keys of the jobs that did this, in order."""
    return [sight.key for sight in sights(what)]


def send(
    *keys: str, behaviour: str = "quick", user: str = "alice", delay_seconds: float = 0
) -> list[Sent]:
    """Enqueue a job for each key."""
    return enqueue([Send("work", (user, key, behaviour), delay_seconds) for key in keys])


@contextmanager
def worker_here(threads: int = 4) -> Iterator[HeadraceBroker]:
    """Run a worker in this process, as `dramatiq actors` would."""
    broker = make_broker()
    declare_actors(broker)
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=threads)
    worker.start()
    try:
        yield broker
    finally:
        worker.stop()
        broker.close()


@contextmanager
def worker_process(
    log: Path, *options: str, threads: int = 2, **settings: str
) -> Iterator[psutil.Popen]:
    """Run `dramatiq` with one worker process, in a process group of its own."""
    command = [sys.executable, "-m", "dramatiq", "fault_actors", "-p", "1", "-t", str(threads)]
    path = os.pathsep.join(map(str, (HERE, ROOT, HERE.parents[1])))
    with log.open("ab") as output:
        master = psutil.Popen(
            [*command, *options],
            cwd=HERE,
            env={**environment(), **QUICK, "PYTHONPATH": path, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield master
    finally:
        signal_all(master, signal.SIGKILL)
        master.wait(10)


def signal_all(master: psutil.Popen, number: signal.Signals) -> None:
    """Send a signal to a master and its worker processes at once."""
    try:
        os.killpg(master.pid, number)
    except ProcessLookupError:
        return


def waiting() -> list[str]:
    """Return the keys of alice's jobs that wait, in the order in which they would run."""
    lane = of_queue(QUEUE.name, "lane:user:alice")
    ids: Any = redis_client().lrange(lane, 0, -1)
    return [entry(message_id.decode()).job_id.removeprefix("work:") for message_id in ids]


def entry(message_id: str) -> Entry:
    """Return a run that history must have."""
    found = reading.get(message_id)
    assert found is not None
    return found


def state(*sent: Sent) -> list[str]:
    """Return the state of each of these jobs."""
    return [entry(one.message_id).state for one in sent]
