"""People in mailboxes, over `/control`: made once, days that are lived once, refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sandbox.client import SandboxClient, SandboxError

USERS = ["mailer1", "mailer2"]


@pytest.fixture
def mailers(sandbox: SandboxClient) -> Iterator[SandboxClient]:
    """Two users without anything."""
    for user in USERS:
        sandbox.add_user(user)
    yield sandbox
    for user in USERS:
        sandbox.delete_user(user)


def test_a_mailbox_is_made_once_with_folders_and_mail(mailers):
    [made] = mailers.add_mailboxes(["mailer1"], seed=5, messages=40)
    assert (made["created"], made["messages"], made["email"]) == (
        True,
        40,
        "mailer1@sandbox.example",
    )
    assert made["folders"] >= 8
    [again] = mailers.add_mailboxes(["mailer1"], seed=6)
    assert again == made | {"created": False}
    assert [mailbox["user"] for mailbox in mailers.mailboxes()] == ["mailer1"]


def test_days_are_lived_once_and_in_two_phases(mailers):
    mailers.add_mailboxes(USERS, messages=0)
    until = datetime.now(UTC)
    since = until - timedelta(days=10)
    habits = {user: mailers.habits(user) for user in USERS}
    came = mailers.live(3, since, until, "arrivals")
    done = mailers.live(3, since, until, "acts")
    for user in USERS:
        assert came[user]["arrived"] >= 40
        assert done[user]["delete"] >= 10
        assert done[user]["move"] >= 4
        kinds = Counter(habit["kind"] for habit in habits[user])
        assert min(kinds["delete"], kinds["move"], kinds["mark_read"]) >= 1
        for habit in habits[user]:
            assert (habit["folder_id"] is not None) == (habit["kind"] in ("move", "archive"))
    # A day that was lived stays what it was, also with other dice.
    for seed in (3, 4):
        assert sum(mailers.live(seed, since, until, "arrivals")["mailer1"].values()) == 0
        assert mailers.live(seed, since, until, "acts") == {"mailer1": {}, "mailer2": {}}
    assert mailers.habits("mailer1") == habits["mailer1"]


def test_the_same_seed_makes_the_same_days_for_a_user_made_anew(mailers):
    until = datetime.now(UTC)
    runs = []
    for _ in range(2):
        mailers.add_mailboxes(["mailer1"], seed=5, messages=10)
        runs.append(
            [
                mailers.live(3, until - timedelta(days=5), until, phase, ["mailer1"])
                for phase in ("arrivals", "acts")
            ]
        )
        mailers.delete_user("mailer1")
        mailers.add_user("mailer1")
    assert runs[0] == runs[1]


def test_what_makes_no_sense_is_refused(mailers):
    now = datetime.now(UTC)
    day = timedelta(days=1)
    with pytest.raises(SandboxError, match="404: user: unknown user 'nobody'"):
        mailers.add_mailboxes(["nobody"])
    with pytest.raises(SandboxError, match=r"size\.messages: must be at least 0"):
        mailers.add_mailboxes(["mailer1"], messages=-1)
    with pytest.raises(SandboxError, match="nobody lives in the mailbox of 'mailer2'"):
        mailers.habits("mailer2")
    with pytest.raises(SandboxError, match="until: is before since"):
        mailers.live(1, now, now - day, "arrivals")
    with pytest.raises(SandboxError, match="until: nobody lives in the future"):
        mailers.live(1, now, now + day, "arrivals")
    with pytest.raises(SandboxError, match="phase: unknown 'dreams'"):
        mailers.live(1, now - day, now, "dreams")
    with pytest.raises(SandboxError, match="since: needs a time zone"):
        mailers.live(1, (now - day).replace(tzinfo=None), now, "acts")
