"""Habits: every mail counts once, as what finally became of it, and automation never counts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.patterns.confidence import Tally
from pipeline.mailbox.patterns.habits import (
    ARCHIVE,
    DELETE,
    MARK_READ,
    MOST_EVIDENCE,
    Habit,
    Kind,
    Terms,
    habits,
)
from pipeline.stores import Row

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
TERMS = Terms(
    now=NOW,
    min_samples=5,
    archive_folder="archive",
    staging_folder="staging",
    sorted_folders=frozenset({"deleted", "junk"}),
)
NEWS = "news@shop.example"
INVOICES = Kind("folder-routing", "move", "invoices")

_numbers = count()


def mail(
    *acts: str | tuple[str, str],
    days_ago: float = 20.0,
    after: timedelta = timedelta(minutes=5),
    sender: str | None = NEWS,
    folder: str = "inbox",
    **metadata: Any,
) -> list[Row]:
    """Return the events of a mail: acts are deleted, read … or (moved, folder)."""
    message_id = f"m{next(_numbers):06}"
    arrived = NOW - timedelta(days=days_ago)
    from_whom = {"email": sender, "domain": "shop.example"} if sender else {"name": "?"}
    shared = {"message_id": message_id, "sender": from_whom}
    events = [
        shared
        | {
            "event_type": "arrived",
            "timestamp": arrived,
            "change_stamp": 1,
            "to_folder": folder,
            "metadata": metadata,
        }
    ]
    for number, act in enumerate(acts, 2):
        kind, to_folder = act if isinstance(act, tuple) else (act, None)
        at = arrived + after * (number - 1)
        event = {"event_type": kind, "timestamp": at, "change_stamp": number}
        events.append(shared | event | {"to_folder": to_folder, "metadata": {}})
    return events


def found(*mails: list[Row]) -> dict[Kind, Habit]:
    """Return the habits by kind; the events of a mail come latest first, as from the store."""
    events = [event for one in mails for event in reversed(one)]
    listed = habits(events, TERMS)
    assert len({(habit.sender_email, habit.kind) for habit in listed}) == len(listed)
    return {habit.kind: habit for habit in listed}


def only(*mails: list[Row]) -> Habit:
    [habit] = found(*mails).values()
    return habit


@pytest.mark.parametrize(
    ("acts", "kind"),
    [
        (["deleted"], DELETE),
        (["read", "deleted"], DELETE),
        ([("moved", "invoices")], INVOICES),
        ([("moved", "later"), ("moved", "invoices")], INVOICES),
        ([("moved", "archive")], ARCHIVE),
        (["deleted", ("moved", "invoices")], INVOICES),
        (["read"], MARK_READ),
        (["read", "flagged", "categorized"], MARK_READ),
    ],
)
def test_a_mail_counts_as_what_finally_became_of_it(acts: list[Any], kind: Kind) -> None:
    habit = only(*(mail(*acts, days_ago=day) for day in range(10, 30)))
    assert habit.kind == kind
    assert habit.tally == Tally(20, 20, 0, 0)
    assert habit.first_seen_at == NOW - timedelta(days=29)
    assert habit.last_seen_at == NOW - timedelta(days=10)
    assert (habit.sender_email, habit.sender_domain) == (NEWS, "shop.example")


@pytest.mark.parametrize(
    "acts",
    [
        ["deleted", ("moved", "inbox")],
        [("moved", "invoices"), ("moved", "inbox")],
        ["read", ("moved", "invoices"), ("moved", "inbox")],
        [("moved", "staging")],
        ["flagged"],
        [],
    ],
)
def test_what_was_moved_back_or_left_is_no_habit_but_an_exception(acts: list[Any]) -> None:
    left = [mail(*acts) for _ in range(5)]
    assert not found(*left)
    habit = only(*left, *(mail("deleted") for _ in range(20)))
    assert (habit.tally.acted, habit.tally.arrivals, habit.tally.exceptions) == (20, 25, 5)


def test_what_was_read_late_is_not_read_at_once() -> None:
    assert not found(*(mail("read", after=timedelta(minutes=16)) for _ in range(20)))
    assert found(*(mail("read", after=timedelta(minutes=15)) for _ in range(20)))


def automated(acts: list[Any]) -> list[Row]:
    events = mail(*acts)
    events[-1]["metadata"] = {"automated_by_rule": "rule"}
    return events


@pytest.mark.parametrize(
    "unseen",
    [
        lambda: automated(["deleted"]),
        lambda: automated([("moved", "staging")]),
        lambda: automated(["deleted", "read"]),
        lambda: mail(found_at_start=True),
        lambda: mail("deleted", found_at_start=True),
        lambda: mail(folder="deleted"),
        lambda: mail(("moved", "inbox"), folder="junk"),
        lambda: mail(sender=None),
        lambda: mail("deleted")[1:],  # it arrived before the window
    ],
)
def test_what_nobody_watched_or_a_rule_did_is_neither_act_nor_exception(unseen: Any) -> None:
    others = [unseen() for _ in range(20)]
    assert not found(*others)
    habit = only(*others, *(mail("deleted") for _ in range(20)))
    assert habit.tally == Tally(20, 20)


def test_a_mail_of_today_counts_once_it_is_put_away() -> None:
    old = [mail("deleted", days_ago=day) for day in range(1, 11)]
    fresh = [mail(days_ago=0.5), mail("read", days_ago=0.5)]
    assert only(*old, *fresh).tally == Tally(10, 10, 6, 6)
    assert only(*old, *fresh, mail("deleted", days_ago=0.5)).tally == Tally(11, 11, 7, 7)


def test_evidence_is_of_the_newest_mails() -> None:
    mails = [mail("deleted", days_ago=day) for day in range(2, 40)]
    habit = only(*reversed(mails), *(mail() for _ in range(3)))
    newest = [own[0]["message_id"] for own in mails[:MOST_EVIDENCE]]
    assert [one["message_id"] for one in habit.evidence] == newest
    assert habit.evidence[0] == {
        "message_id": newest[0],
        "timestamp": mails[0][1]["timestamp"],
        "action": "delete",
    }


def test_too_few_mails_are_no_habit() -> None:
    assert not found(*(mail("deleted") for _ in range(4)))
    assert found(*(mail("deleted") for _ in range(5)))


ACTS = st.lists(
    st.one_of(
        st.sampled_from(["deleted", "read", "flagged"]),
        st.tuples(st.just("moved"), st.sampled_from(["inbox", "invoices", "archive", "staging"])),
    ),
    max_size=4,
)


@given(
    lives=st.lists(
        st.tuples(st.sampled_from(["a@x.example", "b@x.example"]), ACTS, st.floats(0, 60)),
        max_size=60,
    )
)
def test_no_sender_has_two_habits_and_no_habit_more_acts_than_mail(lives: list[Any]) -> None:
    mails = [mail(*acts, sender=sender, days_ago=day) for sender, acts, day in lives]
    listed = habits([event for one in mails for event in one], TERMS)
    senders = Counter(habit.sender_email for habit in listed)
    assert all(times == 1 for times in senders.values())
    for habit in listed:
        assert 0 <= habit.tally.recent_acted <= habit.tally.acted <= habit.tally.arrivals
        assert habit.tally.arrivals <= len(mails)
        assert len(habit.evidence) == min(MOST_EVIDENCE, habit.tally.acted)
        assert 50 <= habit.confidence <= 100
