"""One seed: play its plan, wait until everything has ended, and collect what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from redis.exceptions import RedisError

from benchmarks.chaos import table
from benchmarks.chaos.faults import Faults
from benchmarks.chaos.outcome import Outcome, collect
from benchmarks.chaos.plan import Plan
from benchmarks.chaos.producers import Producer
from benchmarks.chaos.progress import Progress
from benchmarks.chaos.stage import Stage, workers
from pipeline.dead_letters import drain
from pipeline.jobs import layout
from pipeline.jobs.pump import Janitor
from pipeline.stores import redis_client

_LOOK_EVERY_SECONDS = 1.0


def play(stage: Stage, plan: Plan, folder: Path, progress: Progress) -> Outcome:
    """Run the plan in `folder` and return what came of it."""
    witness = folder / "witness"
    witness.mkdir(parents=True)
    stage.empty()
    began = time.monotonic()
    producers = [Producer(plan, number) for number in range(2)]
    with workers(plan, folder, witness) as supervisor:
        faults = Faults(stage, supervisor, witness, progress.event)
        # As in the scheduler: workers do this too, but few here live for long.
        janitor = Janitor([drain])
        with _stopped_in_the_end(faults, janitor, *producers):
            janitor.start()
            faults.start(plan.faults)
            for producer in producers:
                producer.start()
            _wait(lambda: faults.done, 10 * plan.seconds + 120, progress)
            _wait(lambda: _sent(producers) and _at_rest(), stage.pace.drain_seconds, progress)
            unsent = [] if _sent(producers) else ["some sends were never acknowledged"]
            seconds = time.monotonic() - began
    return collect(witness, producers, faults.hits, [*faults.errors, *unsent], seconds)


@contextmanager
def _stopped_in_the_end(*parts: Faults | Janitor | Producer) -> Iterator[None]:
    try:
        yield
    finally:
        for part in parts:
            part.stop()


def _wait(condition: Callable[[], bool], seconds: float, progress: Progress) -> None:
    """Wait until `condition` holds or the time is up; the verdict says what has not ended."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        progress.state(_states())
        time.sleep(_LOOK_EVERY_SECONDS)


def _sent(producers: list[Producer]) -> bool:
    return all(producer.done for producer in producers)


def _at_rest() -> bool:
    """Return whether every job has ended and every dead letter is in MongoDB."""
    try:
        return not redis_client().exists(layout.LIVE, layout.OUTBOX)
    except RedisError:
        return False


def _states() -> str:
    """Return how many jobs there are in each state."""
    try:
        with redis_client().pipeline(transaction=False) as pipe:
            for state in layout.STATES:
                for queue in (table.MAIN, table.SIDE):
                    pipe.zcard(layout.of_queue(queue.name, state))
            counts = pipe.execute()
    except RedisError:
        return "Redis does not answer"
    pairs = zip(layout.STATES, counts[::2], counts[1::2], strict=True)
    known = [f"{main + side} {state}" for state, main, side in pairs if main + side]
    return ", ".join(known) or "no jobs yet"
