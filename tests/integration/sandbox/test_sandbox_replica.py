"""The whole sandbox at once: a reader that follows Google's documents ends with the truth."""

from __future__ import annotations

import pytest
from google_client import CHECKED
from replica import Copy, Replica

SOURCES = ("google_calendar", "google_gmail", "google_contacts", "google_tasks")
SIZE = {
    "calendars": 6,
    "events": 120,
    "messages": 60,
    "contacts": 60,
    "task_lists": 4,
    "tasks": 60,
}


def truth(sandbox, user: str) -> Copy:
    found: Copy = {}
    for source in SOURCES:
        for stream, item_id, item in sandbox.truth(user, source):
            found[stream, item_id] = item
    return found


def assert_same(copy: Copy, expected: Copy) -> None:
    assert sorted(set(copy) ^ set(expected)) == []
    wrong = [key for key in expected if copy[key] != expected[key]]
    assert not wrong, f"{wrong[0]}: {copy[wrong[0]]} instead of {expected[wrong[0]]}"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_reader_that_only_follows_changes_stays_true(sandbox, new_user, sign_in, seed):
    user = new_user(**SIZE)
    replica = Replica(sign_in(user))
    replica.sync()
    assert_same(replica.copy, truth(sandbox, user))
    fulls = dict(replica.fulls)
    for turn in range(4):
        done = sandbox.mutate(10 * seed + turn, 80, [user])
        assert done["changes"] == 80
        replica.sync()
        assert_same(replica.copy, truth(sandbox, user))
    assert {kind: replica.fulls[kind] for kind in ("calendars", "messages", "connections")} == {
        kind: fulls[kind] for kind in ("calendars", "messages", "connections")
    }


def test_expired_cursors_lead_back_to_the_truth(sandbox, new_user, sign_in):
    user = new_user(**SIZE)
    replica = Replica(sign_in(user))
    replica.sync()
    for turn in range(3):
        done = sandbox.mutate(turn, 40, [user], expire_cursors=0.5 if turn else [user])
        assert done["expired"]
        replica.sync()
        assert_same(replica.copy, truth(sandbox, user))
    assert replica.fulls["messages"] > 1


def test_short_and_empty_pages_do_not_disturb_a_reader(sandbox, new_user, sign_in):
    user = new_user(**SIZE)
    sandbox.fault("short_pages", times=None, params={"size": 3, "empty": True})
    replica = Replica(sign_in(user))
    replica.sync()
    sandbox.mutate(1, 40, [user])
    replica.sync()
    assert_same(replica.copy, truth(sandbox, user))


def test_the_reader_has_used_every_listing():
    assert {
        "calendar.calendarList.list",
        "calendar.events.list",
        "gmail.users.history.list",
        "gmail.users.messages.list",
        "people.people.connections.list",
        "tasks.tasklists.list",
        "tasks.tasks.list",
    } <= CHECKED
