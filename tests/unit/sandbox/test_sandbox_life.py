"""Simulated people: their days are the same every time, and their habits can be found out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from expected_patterns import THRESHOLDS, Found, confidences, events_of, wilson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mailbox.patterns.habits import Terms, habits
from pipeline.sandbox.microsoft.life import composing
from pipeline.sandbox.microsoft.life.behaviour import Behaviour, deletes, files
from pipeline.sandbox.microsoft.life.content import MailboxSize, left, size_of
from pipeline.sandbox.microsoft.life.days import acts, letters
from pipeline.sandbox.microsoft.life.lives import Life, life_of

NOW = datetime(2026, 11, 30, 22, 10, tzinfo=UTC)
USERS = [f"user{number:04d}" for number in range(1, 25)]


def life(user: str = "user0001", seed: int = 1) -> Life:
    return life_of(seed, user, f"{user}@sandbox.example", NOW - timedelta(minutes=5))


def dice(_: date) -> int:
    return 3


def test_days_are_the_same_however_they_are_cut() -> None:
    someone, since, until = life(), NOW - timedelta(days=9), NOW

    @given(st.integers(0, 9 * 86_400))
    @settings(max_examples=15)
    def cut(seconds: int) -> None:
        middle = since + timedelta(seconds=seconds)
        for happens in (letters, acts):
            whole = happens(someone, dice, since, until)
            parts = [
                *happens(someone, dice, since, middle),
                *happens(someone, dice, middle, until),
            ]
            assert parts == whole

    cut()


def test_a_seed_says_who_people_are_and_another_how_their_days_go() -> None:
    assert life() == life()
    assert life("user0002").correspondents != life().correspondents
    assert life(seed=2).correspondents != life().correspondents
    week = (NOW - timedelta(days=7), NOW)
    assert letters(life(), dice, *week) != letters(life(), lambda _: 4, *week)


@pytest.mark.parametrize("user", USERS[:6])
def test_correspondents_are_told_apart_and_folders_have_their_parents(user: str) -> None:
    someone = life(user)
    addresses = [sender.email for sender in someone.correspondents]
    assert len(set(addresses)) == len(addresses)
    for path in someone.folders:
        parent = path.rpartition("/")[0]
        assert not parent or someone.folders.index(parent) < someone.folders.index(path)
    assert {habit.folder for _, habit in someone.habits() if habit.folder} <= set(someone.folders)


def test_habits_can_be_found_out_after_sixty_days_and_nothing_else_comes_near() -> None:
    since, found, sought = NOW - timedelta(days=60), set[tuple[str, Found]](), 0
    for user in USERS:
        someone = life(user)
        real = {(habit.kind, sender.email, habit.folder) for sender, habit in someone.habits()}
        mail, done = letters(someone, dice, since, NOW), acts(someone, dice, since, NOW)
        sought += len(real)
        for pattern, value in confidences(mail, done, NOW):
            threshold = THRESHOLDS[pattern[0]]
            if pattern in real and value >= threshold:
                found.add((user, pattern))
            assert pattern in real or value <= threshold - 5, (user, pattern, value)
    assert sought >= 4 * len(USERS)
    assert len(found) >= 0.97 * sought


@pytest.mark.parametrize("user", USERS[:5])
def test_the_analysis_comes_to_what_the_formulas_say(user: str) -> None:
    someone, since = life(user), NOW - timedelta(days=60)
    mail, done = letters(someone, dice, since, NOW), acts(someone, dice, since, NOW)
    terms = Terms(NOW, min_samples=5, archive_folder="archive")
    analyzed = {
        (habit.kind.action, habit.sender_email, habit.kind.to_folder or ""): habit.confidence
        for habit in habits(events_of(mail, done), terms)
    }
    expected = {kind: sure for kind, sure in confidences(mail, done, NOW) if sure >= 50}
    assert {kind: analyzed[kind] for kind in expected} == pytest.approx(expected, abs=0.11)


def test_the_formula_asks_for_what_people_give() -> None:
    assert round(100 * wilson(85, 85), 1) >= 98 > round(100 * wilson(78, 78), 1)
    assert round(100 * wilson(119, 120), 1) < 98  # not one may be kept
    assert wilson(44, 45) > 0.85 > wilson(5, 5)
    assert wilson(29, 30) > 0.8


def test_shares_of_what_is_done_cannot_exceed_all_mail() -> None:
    with pytest.raises(ValueError, match="exceed"):
        Behaviour((deletes(0.6), files(0.5, "Invoices")))


def test_headers_say_what_kind_of_mail_it_is() -> None:
    someone = life()
    by_kind = {
        letter.sender.kind: composing.received(someone, letter)
        for letter in letters(someone, dice, NOW - timedelta(days=14), NOW)
    }
    names = {
        kind: {header["name"] for header in message["internetMessageHeaders"]}
        for kind, message in by_kind.items()
    }
    assert {"List-Unsubscribe", "List-Id", "Precedence"} <= names["newsletter"]
    assert {"X-Auto-Response-Suppress", "Auto-Submitted"} <= names["service"]
    assert "List-Unsubscribe" not in names["colleague"] | names["supplier"]


def test_a_week_of_a_colleague_is_one_thread() -> None:
    someone = life()
    colleague = next(s for s in someone.correspondents if s.kind == "colleague")
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    threads = {
        composing.received(someone, letter)["conversationId"]
        for letter in letters(someone, dice, monday, monday + timedelta(days=7))
        if letter.sender == colleague
    }
    assert len(threads) == 1


def test_a_mailbox_is_found_with_mail_everywhere_also_where_habits_put_it() -> None:
    someone, size = life(), MailboxSize(300)
    found = list(left(someone, size, NOW))
    assert found == list(left(someone, size, NOW))
    assert len(found) == 300
    assert {"inbox", "sentitems", "drafts", "deleteditems", "archive", "junkemail"} <= {
        mail.place for mail in found
    }
    assert {mail.place for mail in found} & set(someone.folders)
    places = {
        (mail.message["from"]["emailAddress"]["address"], mail.place)
        for mail in found
        if mail.at > NOW - timedelta(days=81)
    }
    filed = {(sender.email, habit.folder) for sender, habit in someone.habits() if habit.folder}
    assert filed <= places
    assert {mail.at < NOW - timedelta(days=95) for mail in found} == {True, False}
    assert 0 <= size_of(someone).messages <= 380
