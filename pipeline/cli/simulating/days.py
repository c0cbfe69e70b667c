"""The days of a simulation: mail comes, we look, people act on it, we look again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from models import Pattern
from pipeline.cli.simulating.evaluation import Verdict, judge
from pipeline.cli.simulating.mailboxes import watched_since
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

#: Patterns in these states were offered to their user, or are what the user agreed to.
_OFFERED = ("suggested", "approved")

_PHASES: tuple[tuple[Literal["arrivals", "acts"], str], ...] = (
    ("arrivals", "Mail comes"),
    ("acts", "People act on it"),
)

#: Told after each part: how many are done, and what comes next.
Tell = Callable[[int, str], None]


class Observer(Protocol):
    """Our side of a simulation."""

    def bring_up_to_date(self, users: Sequence[str]) -> None:
        """Return once all that happened in the mailboxes of `users` has been observed."""

    def analyze(self, users: Sequence[str]) -> None:
        """Return once what was observed has been analyzed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which days are lived, and by whom: so many, the last of which ends at `until`."""

    users: tuple[str, ...]
    days: int
    seed: int
    step_days: int
    until: datetime

    def steps(self) -> list[tuple[datetime, datetime]]:
        """Return the beginning and the end of each step, in order; the last may be shorter."""
        first = self.until - timedelta(days=self.days)
        begins = [first + timedelta(days=day) for day in range(0, self.days, self.step_days)]
        return list(zip(begins, [*begins[1:], self.until], strict=True))

    def parts(self) -> int:
        """Return how many parts the work has: what was there, two for each step, the analysis."""
        return 2 + 2 * len(self.steps())


@dataclass(frozen=True, slots=True)
class Simulated:
    """What happened, by deed, and what we made of it, by user."""

    happened: Counter[str]
    verdicts: list[Verdict]


def simulate(sandbox: SandboxClient, plan: Plan, observer: Observer, tell: Tell) -> Simulated:
    """Live the planned days, have us watch, and judge what we suggest.

    What is in the mailboxes already teaches nothing, so they are looked at once before they count
    as watched since the first day.  Raises what `observer` raises.
    """
    users, happened, done = list(plan.users), Counter[str](), 0
    tell(done, "Looking at the mailboxes")
    observer.bring_up_to_date(users)
    watched_since(users, plan.steps()[0][0])
    for since, until in plan.steps():
        for phase, words in _PHASES:
            done += 1
            tell(done, f"{words}, {since:%d %b} to {until:%d %b}")
            for counts in sandbox.live(plan.seed, since, until, phase, users).values():
                happened.update(counts)
            observer.bring_up_to_date(users)
    tell(done + 1, "Looking for habits")
    observer.analyze(users)
    tell(done + 2, "Done")
    return Simulated(happened, [_verdict(sandbox, user) for user in users])


def _verdict(sandbox: SandboxClient, user: str) -> Verdict:
    offered = {"user_id": user, "status": {"$in": list(_OFFERED)}}
    return judge(user, sandbox.habits(user), collection(Pattern).find(offered))
