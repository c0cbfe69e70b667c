"""The faults of a plan: what is done to what, when, and for how long."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.chaos.pace import Pace

Target = Literal["workers-1", "workers-2", "redis", "mongodb", "queue"]
WORKERS: tuple[Target, Target] = ("workers-1", "workers-2")
#: By then the workers have started.
_FIRST_SECONDS = 4.0
#: By then a worker that was stalled has gone on, or been replaced.
_RESTART_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done to `target`, and undone after `hold_seconds`."""

    target: Target
    kind: str
    at_seconds: float
    hold_seconds: float = 0.0
    pick: int = 0
    """Which of several it hits: a process of the master, a scope."""

    def __str__(self) -> str:
        """Return it as a line of the plan."""
        held = f" for {self.hold_seconds:g} s" if self.hold_seconds else ""
        return f"{self.at_seconds:6.1f} s  {self.kind} {self.target}{held}"


def plan_faults(rng: random.Random, seconds: float, pace: Pace) -> list[Fault]:
    """Return faults in the order of their times; those of one target never overlap."""
    faults: list[Fault] = []
    for target in rng.sample(WORKERS, len(WORKERS)):
        stalls = [fault for fault in faults if fault.kind == "stall"]
        faults += _of_workers(rng, target, seconds, pace, stalls)
    others: dict[Target, list[tuple[str, float]]] = {
        "redis": [("kill", _outage(rng, pace)), ("freeze", _freeze(rng)), ("kill", 0.2)],
        "mongodb": [("kill", rng.uniform(2, 6))],
        "queue": [("pause", rng.uniform(1, 5)) for _ in range(rng.randint(1, 3))],
    }
    for name, kinds in others.items():
        rng.shuffle(kinds)
        faults += _in_turn(rng, name, seconds, kinds)
    return sorted(faults, key=lambda fault: (fault.at_seconds, fault.target))


def _outage(rng: random.Random, pace: Pace) -> float:
    """Return how long Redis is away: now and then so long that all workers seem dead."""
    if rng.random() < 0.3:
        return pace.worker_timeout_seconds + rng.uniform(2, 8)
    return rng.uniform(0.2, 4)


def _freeze(rng: random.Random) -> float:
    """Return how long Redis is frozen: now and then longer than its clients wait for it.

    They send a command again after 10 s, and Redis finds both when it thaws.
    """
    return rng.uniform(10.5, 12) if rng.random() < 0.3 else rng.uniform(2, 6)


def _of_workers(
    rng: random.Random, target: Target, seconds: float, pace: Pace, stalls: list[Fault]
) -> Iterator[Fault]:
    """Yield faults of one master and its processes until the time is up, each kind in turn.

    None of `stalls`, which are of the other master, overlaps with one of this: somebody must
    be there to take over.
    """
    kinds = ["kill-process", "kill-master", "kill-all", "terminate", "stall", "kill-process"]
    rng.shuffle(kinds)
    at_seconds = _FIRST_SECONDS + rng.uniform(*pace.gap_seconds)
    for kind in itertools.cycle(kinds):
        if at_seconds > seconds:
            return
        hold_seconds = 0.0
        if kind == "stall":  # long enough that the others take it for dead
            hold_seconds = 1.2 * pace.worker_timeout_seconds + rng.uniform(2, 5)
        fault = _fault(rng, target, kind, at_seconds, hold_seconds)
        if any(_overlap(fault, stall) for stall in stalls):
            fault = replace(fault, kind="terminate", hold_seconds=0.0)
        yield fault
        at_seconds += fault.hold_seconds + rng.uniform(*pace.gap_seconds)


def _overlap(one: Fault, other: Fault) -> bool:
    """Return whether two faults are held at the same time, or nearly."""
    if one.hold_seconds == 0:
        return False
    first, second = sorted((one, other), key=lambda fault: fault.at_seconds)
    return second.at_seconds < first.at_seconds + first.hold_seconds + _RESTART_SECONDS


def _in_turn(
    rng: random.Random, target: Target, seconds: float, kinds: list[tuple[str, float]]
) -> Iterator[Fault]:
    """Yield one fault of each kind, spread over the time."""
    share = (seconds - _FIRST_SECONDS) / len(kinds)
    free_at_seconds = 0.0
    for position, (kind, hold_seconds) in enumerate(kinds):
        at_seconds = _FIRST_SECONDS + (position + rng.uniform(0.1, 0.5)) * share
        fault = _fault(rng, target, kind, max(at_seconds, free_at_seconds), hold_seconds)
        free_at_seconds = fault.at_seconds + fault.hold_seconds + 1
        yield fault


def _fault(
    rng: random.Random, target: Target, kind: str, at_seconds: float, hold_seconds: float
) -> Fault:
    return Fault(target, kind, round(at_seconds, 1), round(hold_seconds, 1), rng.randrange(4))
