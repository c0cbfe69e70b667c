"""What a seed stands for: jobs, when they are sent, and faults.  The same seed, the same plan."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from benchmarks.chaos import table
from benchmarks.chaos.fault_plan import Fault, plan_faults
from benchmarks.chaos.pace import FAST, Pace

COMPLETED = "completed"
KILLED = "killed_worker"

#: How a job of each behaviour ends: `completed`, or the reason of its dead letter.
ENDS = {
    "instant": COMPLETED,
    "slow": COMPLETED,  # number: seconds
    "flaky": COMPLETED,  # number: attempts that fail first
    "limited": COMPLETED,  # number: deliveries that are rate limited first
    "kills_once": COMPLETED,  # its first delivery kills its worker process
    "fails": "attempts_spent",
    "permanent": "permanent",
    "poison": KILLED,  # every delivery kills its worker process
    "garbage": "undecodable",  # its arguments are overwritten in Redis
    "retired": "unknown_job",
}

#: Of a thousand jobs.  What kills workers has a number of its own: see `_DEADLY`.
_SHARES = {
    "slow": 380,
    "flaky": 130,
    "limited": 80,
    "fails": 40,
    "permanent": 30,
    "garbage": 15,
    "retired": 15,
}
_DEADLY = {"kills_once": 2, "poison": 1}

_USERS, _MAILBOXES, _TENANTS = 12, 5, 3
_BULK = 20


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job id, and what shall become of it."""

    key: str
    job: str
    owner: str
    """The user or mailbox that it belongs to."""
    tenant: str
    behaviour: str
    number: float
    rounds: int
    """How often it is sent, one after another has ended: as often it shall complete."""
    token: bool
    """Its sends carry a token, so that it runs once.  Else only its job id says that it is there
    already, and it runs as often as producers were told of a new run."""

    @property
    def job_id(self) -> str:
        """Return its job id."""
        return f"chaos:{self.key}"

    @property
    def args(self) -> tuple[str, str, str]:
        """Return its arguments."""
        return self.owner, self.key, f"{self.behaviour} {self.number:g}"

    @property
    def end(self) -> str:
        """Return how it shall end: `completed`, or the reason of its dead letter."""
        return ENDS[self.behaviour]


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that one producer sends in one call."""

    producer: int
    at_seconds: float
    keys: tuple[str, ...]
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one seed decides."""

    seed: int
    pace: str
    seconds: float
    jobs: tuple[PlannedJob, ...]
    batches: tuple[Batch, ...]
    faults: tuple[Fault, ...]
    processes: tuple[int, int]
    """Worker processes of each of the two masters."""

    @property
    def hash(self) -> str:
        """Return what tells plans apart: equal for equal plans, on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def command(self) -> str:
        """Return what a person types to play it again and keep what it leaves."""
        fast = " --fast" if self.pace == FAST.name else ""
        size = f"--jobs {len(self.jobs)} --seconds {self.seconds:g}"
        return f"headrace chaos jobs --seed {self.seed} {size}{fast} --keep"


def make_plan(seed: int, jobs: int, seconds: float, pace: Pace) -> Plan:
    """Return the plan of `seed`: `jobs` job ids, and faults for `seconds`."""
    rng = random.Random(seed)
    planned = _jobs(rng, jobs)
    return Plan(
        seed,
        pace.name,
        seconds,
        tuple(planned),
        tuple(sorted(_batches(rng, planned, seconds), key=lambda batch: batch.at_seconds)),
        tuple(plan_faults(rng, seconds, pace)),
        (2, rng.choice((1, 2))),
    )


def _jobs(rng: random.Random, count: int) -> list[PlannedJob]:
    amounts = {name: max(1, count * share // 1000) for name, share in _SHARES.items()} | _DEADLY
    behaviours = [name for name, amount in amounts.items() for _ in range(amount)]
    behaviours += ["instant"] * (count - len(behaviours))
    rng.shuffle(behaviours)
    return [_job(rng, f"{number:05}", name) for number, name in enumerate(behaviours)]


def _job(rng: random.Random, key: str, behaviour: str) -> PlannedJob:
    alone = rng.random() < 0.2
    job = table.RETIRED if behaviour == "retired" else table.RUN_ALONE if alone else table.RUN
    owner = (
        f"box{rng.randrange(_MAILBOXES)}"
        if job is table.RUN_ALONE
        else f"user{rng.randrange(_USERS)}"
    )
    tenant = f"tenant{rng.randrange(_TENANTS)}"
    again = behaviour in ("instant", "flaky") and rng.random() < 0.1
    rounds = rng.randint(2, 4) if again else 1
    token = rounds > 1 or behaviour not in ("instant", "slow") or rng.random() < 0.7
    number = _number(rng, behaviour)
    return PlannedJob(key, job.name, owner, tenant, behaviour, number, rounds, token)


def _number(rng: random.Random, behaviour: str) -> float:
    if behaviour == "slow":
        return round(rng.uniform(0.1, 2.0), 2)
    if behaviour in ("flaky", "limited"):
        return rng.randint(1, table.ATTEMPTS - 1)
    return 0


def _batches(rng: random.Random, jobs: list[PlannedJob], seconds: float) -> Iterator[Batch]:
    """Spread the jobs over the first four fifths; a third is sent by both producers at once."""
    keys = [job.key for job in jobs if job.rounds == 1]
    while keys:
        size = rng.randint(2, _BULK) if rng.random() < 0.2 else 1
        batch, keys = tuple(keys[:size]), keys[size:]
        at_seconds = round(rng.uniform(0, seconds * 0.8), 2)
        delay_seconds = round(rng.uniform(0.2, seconds * 0.2), 2) if rng.random() < 0.2 else 0.0
        producers = (0, 1) if rng.random() < 0.33 else (rng.randrange(2),)
        for producer in producers:
            yield Batch(producer, at_seconds, batch, delay_seconds)
