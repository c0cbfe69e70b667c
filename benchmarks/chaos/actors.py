"""What the workers of a chaos run load: one actor per queue, which behaves as the job says."""

# ruff: noqa: E402 - the order matters, as in `actors/`.

from pipeline.worker_metrics import use_shared_folder

use_shared_folder()

from benchmarks.chaos.table import MAIN, SIDE, add_for_workers

add_for_workers()

from pipeline.startup import prepare_worker

prepare_worker()

import os
import signal
import time

import dramatiq

from benchmarks.chaos.ledger import take_effect, witness
from pipeline.errors import Permanent, RateLimited, Transient
from pipeline.jobs.current import Current, current

#: How long a rate limited attempt is put off.
RETRY_AFTER_SECONDS = 0.5

witness("boot")


@dramatiq.actor(queue_name=MAIN.name, priority=MAIN.priority)
def chaos(user_id: str, key: str, behaviour: str) -> None:  # noqa: ARG001
    """Run a job of the main queue."""
    _run(behaviour)


@dramatiq.actor(queue_name=SIDE.name, priority=SIDE.priority)
def chaos_alone(mailbox_id: str, key: str, behaviour: str) -> None:  # noqa: ARG001
    """Run a job of which only one runs per mailbox."""
    _run(behaviour)


def _run(behaviour: str) -> None:
    job = current()
    assert job is not None
    witness("start", job.message_id, job.delivery)
    try:
        name, _, number = behaviour.partition(" ")
        _behave(job, name, float(number))
        take_effect(job.message_id)
    finally:
        witness("end", job.message_id, job.delivery)


def _behave(job: Current, name: str, number: float) -> None:
    match name:
        case "slow":
            time.sleep(number)
        case "flaky" if job.attempt <= number:
            raise Transient("it fails this time")
        case "limited" if job.delivery <= number:
            raise RateLimited("too many", retry_after_seconds=RETRY_AFTER_SECONDS)
        case "kills_once" if job.delivery == 1:
            _kill_worker(job)
        case "poison":
            _kill_worker(job)
        case "fails":
            raise Transient("it always fails")
        case "permanent":
            raise Permanent("it cannot be done")


def _kill_worker(job: Current) -> None:
    witness("kills", job.message_id, job.delivery)
    os.kill(os.getpid(), signal.SIGKILL)
