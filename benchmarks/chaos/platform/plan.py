"""What a run is made of: people of two tenants, what changes, what AI is asked, and their mail."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from benchmarks.chaos.scenes import Fault

#: What happens: changes at the provider, something that AI is asked, a mail to a user, a new
#: search index.
Deed = Literal["change", "ask", "tell", "rebuild"]
_DEEDS: tuple[Deed, ...] = ("change", "ask", "tell")
TENANTS = 2
_PEOPLE_PER_TENANT = 2
#: Everything is asked for twice at once, and now and then again.
_AGAIN = 0.3
#: The last acts come before the end, so that workers die while all of it is under way.
_BUSY_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Person:
    """A user of a tenant.  `secret` is a word that nobody but the tenant's people know."""

    user: str
    tenant: str
    secret: str

    @property
    def address(self) -> str:
        """Where they get mail."""
        return f"{self.user}@people.example"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happens `at_seconds` to a person; the same `number` is the same thing."""

    at_seconds: float
    deed: Deed
    person: int
    number: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    seconds: float
    people: tuple[Person, ...]
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]
    kills: int


def make_plan(seed: int, acts: int, seconds: float, kills: int) -> Plan:
    """Return the plan of a seed: `acts` of each kind, things happening for `seconds`."""
    random = Random(f"chaos-platform/{seed}")
    people = tuple(
        Person(f"p{seed}-{tenant}-{number}", tenant_name(seed, tenant), secret_of(seed, tenant))
        for tenant in range(TENANTS)
        for number in range(_PEOPLE_PER_TENANT)
    )
    made = [
        act
        for deed in _DEEDS
        for number in range(acts)
        for act in _acts(random, deed, number, len(people), seconds)
    ]
    made += [Act(random.uniform(0.2, 0.6) * seconds, "rebuild", 0, 0)]
    return Plan(
        seed,
        seconds,
        people,
        tuple(sorted(made, key=lambda act: (act.at_seconds, act.number))),
        _faults(random),
        kills,
    )


def tenant_name(seed: int, number: int) -> str:
    """Return the id of a tenant of a run."""
    return f"chaos-platform-{seed}-{number}"


def secret_of(seed: int, number: int) -> str:
    """Return the word that only people of this tenant know."""
    return f"quillon{seed}x{number}"


def _acts(random: Random, deed: Deed, number: int, people: int, seconds: float) -> list[Act]:
    at, person = random.uniform(0, _BUSY_SHARE * seconds), random.randrange(people)
    acts = [Act(at, deed, person, number)]
    if deed != "change":
        acts.append(Act(at, deed, person, number))
        if random.random() < _AGAIN:
            acts.append(Act(random.uniform(at, seconds), deed, person, number))
    return acts


def _faults(random: Random) -> tuple[Fault, ...]:
    return tuple(
        fault
        for api in ("gmail", "calendar")
        for fault in (
            Fault(api, "status", random.uniform(0.01, 0.03), (("code", 503),)),
            Fault(api, "drop", random.uniform(0.005, 0.02), (("after_bytes", 20),)),
        )
    )
