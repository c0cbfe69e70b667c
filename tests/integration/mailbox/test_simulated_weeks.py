"""Weeks of simulated mail, synced and observed here: what is suggested is what people really do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from pipeline.cli.simulating.days import Plan, simulate
from pipeline.cli.simulating.evaluation import Score
from pipeline.cli.simulating.mailboxes import SOURCE, mailboxes_of, taking_part
from pipeline.connect import connect_microsoft
from pipeline.mailbox import observing
from pipeline.mailbox.patterns import nightly
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET
from pipeline.sync import engine

USERS = ("ada", "bob")


@dataclass(frozen=True)
class Here:
    """Our side of a simulation, in this process."""

    def bring_up_to_date(self, users: Sequence[str]) -> None:
        for user, mailbox_id in mailboxes_of(users).items():
            while (outcome := engine.sync(user, SOURCE, force=True).outcome) != "succeeded":
                assert outcome == "continued", outcome
            observing.observe(user, mailbox_id)

    def analyze(self, users: Sequence[str]) -> None:
        for user, mailbox_id in mailboxes_of(users).items():
            nightly.carry_out(user, mailbox_id)


@pytest.fixture
def people(sandbox: SandboxClient, setting: Callable[..., None]) -> SandboxClient:
    """A sandbox in which some people live, connected."""
    setting(
        MICROSOFT_GRAPH_BASE_URL=sandbox.base_url,
        MICROSOFT_LOGIN_BASE_URL=sandbox.base_url,
        MICROSOFT_CLIENT_ID=MICROSOFT_CLIENT_ID,
        MICROSOFT_CLIENT_SECRET=MICROSOFT_CLIENT_SECRET,
    )
    for user in USERS:
        sandbox.add_user(user)
    sandbox.add_mailboxes(list(USERS), seed=1, messages=50)
    for user in USERS:
        connect_microsoft(user, sandbox.microsoft_grant(user))
    return sandbox


def test_after_sixty_days_the_habits_and_nothing_else_are_suggested(people: SandboxClient) -> None:
    plan = Plan(taking_part(people, None), 60, 3, 20, datetime.now(UTC))
    parts: list[int] = []
    done = simulate(people, plan, Here(), lambda part, _: parts.append(part))
    score = Score.of(done.verdicts)
    assert parts == list(range(plan.parts() + 1))
    assert done.happened["arrived"] > 400 * len(USERS)
    assert score.precision == 1.0, done.verdicts
    assert score.recall >= 0.9, done.verdicts
    assert score.habits >= 3 * len(USERS)
