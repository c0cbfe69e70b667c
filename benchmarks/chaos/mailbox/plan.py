"""What happens in the mailboxes of one run, and which faults: all of it decided by the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

#: Whom mail is from, which is what the rules go by; nothing is done to that of `other`.
Role = Literal["filed", "trashed", "tidied", "forwarded", "other"]
RULED: tuple[Role, ...] = ("filed", "trashed", "tidied", "forwarded")
#: What a person does with mail that no rule is for.
DEEDS = ("read", "flag", "categorize", "move", "delete", "purge")
#: Share of a run's time after which nothing new happens: what was lost must come out.
_BUSY_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Arrival:
    """Mail number `number` of a user, and what its reader does later, and when."""

    at_seconds: float
    user: str
    number: int
    role: Role
    deeds: tuple[tuple[float, str], ...]

    @property
    def subject(self) -> str:
        """Its subject, by which the sandbox's truth is searched."""
        return f"Chaos {self.role} {self.user} {self.number}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule of the sandbox's: of kind `kind`, at random, for the whole run."""

    kind: str
    probability: float
    params: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    seconds: float
    users: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    faults: tuple[Fault, ...]
    kills_at_seconds: tuple[float, ...]


def make_plan(seed: int, mailboxes: int, mails: int, seconds: float) -> Plan:
    """Return the plan of a seed: `mails` per mailbox within `seconds`."""
    random = Random(f"chaos-mailbox/{seed}")
    users = tuple(f"chaos-{seed}-{number}" for number in range(mailboxes))
    arrivals = [
        _arrival(random, user, number, seconds) for user in users for number in range(mails)
    ]
    kills = sorted(random.uniform(0.1, 0.9) * seconds for _ in range(random.randint(2, 4)))
    return Plan(
        seed,
        seconds,
        users,
        tuple(sorted(arrivals, key=lambda arrival: arrival.at_seconds)),
        _faults(random),
        tuple(kills),
    )


def _arrival(random: Random, user: str, number: int, seconds: float) -> Arrival:
    role: Role = random.choice((*RULED, "other", "other"))
    at = random.uniform(0, _BUSY_SHARE * seconds)
    count = random.randint(1, 3) if role == "other" else 0
    moments = sorted(random.uniform(at, seconds) for _ in range(count))
    deeds = [(moment, random.choice(DEEDS)) for moment in moments]
    return Arrival(at, user, number, role, tuple(deeds))


def _faults(random: Random) -> tuple[Fault, ...]:
    return (
        Fault("push_lose", random.uniform(0.1, 0.3)),
        Fault("push_reorder", random.uniform(0.1, 0.4), (("seconds", 2.0),)),
        # All that is left comes twice.
        Fault("push_duplicate", 1.0),
        Fault("status", random.uniform(0.01, 0.03), (("code", 503),)),
        Fault("status", random.uniform(0.005, 0.02), (("code", 429), ("retry_after", 1))),
        Fault("drop", random.uniform(0.005, 0.02), (("after_bytes", 20),)),
    )
