"""Control: users, changes, truth, the clock; wrong requests are refused by the field's name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from google_client import pages

from pipeline.sandbox.client import SandboxError

CALENDAR = "google_calendar"
CONTACTS = "google_contacts"


def test_a_population_is_the_same_for_the_same_seed_and_stays(sandbox):
    added = sandbox.add_users(2, seed=5, prefix="pop")
    assert [user["created"] for user in added] == [True, True]
    before = {user.user: user.total for user in sandbox.users()}
    again = sandbox.add_users(3, seed=5, prefix="pop")
    assert [user["created"] for user in again] == [False, False, True]
    after = {user.user: user.total for user in sandbox.users()}
    assert {name: after[name] for name in before} == before
    for number in (1, 2, 3):
        sandbox.delete_user(f"pop000{number}")


def test_a_user_has_exactly_the_size_that_was_asked_for(sandbox):
    size = {"calendars": 3, "events": 20, "messages": 7, "contacts": 4}
    sandbox.add_user("sized", **size, task_lists=2, tasks=9)
    (user,) = [user for user in sandbox.users() if user.user == "sized"]
    assert user.counts == {
        "google_calendar": {"calendars": 3, "events": 20},
        "google_gmail": {"messages": 7},
        "google_contacts": {"connections": 4},
        "google_tasks": {"tasklists": 2, "tasks": 9},
    }
    assert user.total == 45
    assert sum(1 for _ in sandbox.truth("sized")) == 45
    sandbox.delete_user("sized")


def test_a_deleted_user_is_gone_with_every_token(sandbox, new_user, sign_in):
    user = new_user()
    google = sign_in(user)
    google.refresh()
    sandbox.delete_user(user)
    assert user not in [known.user for known in sandbox.users()]
    with pytest.raises(SandboxError, match=f"^404: user: unknown user '{user}'"):
        list(sandbox.truth(user))
    with pytest.raises(Exception, match="invalid_grant"):
        google.refresh()


def test_the_same_seed_makes_the_same_changes(sandbox, new_user):
    first = new_user(events=20, messages=20, contacts=20, tasks=20)
    done = [sandbox.mutate(9, 50, [first]) for _ in range(2)]
    assert [result["changes"] for result in done] == [50, 50]
    assert done[0]["by_user"] == {first: 50}
    kinds = {kind for counts in done[0]["by_source"].values() for kind in counts}
    assert {"created", "updated", "removed"} <= kinds


def test_changes_are_spread_over_all_users_that_are_named(sandbox, new_user):
    users = [new_user(events=5) for _ in range(3)]
    done = sandbox.mutate(1, 60, users)
    assert set(done["by_user"]) == set(users)
    assert all(count > 5 for count in done["by_user"].values())


def test_cursors_of_a_share_or_of_named_users_expire(sandbox, new_user):
    users = [new_user(), new_user()]
    done = sandbox.mutate(1, 0, users, expire_cursors=[users[0]])
    assert [entry["user"] for entry in done["expired"]] == [users[0]] * 4
    assert len(sandbox.mutate(1, 0, users, expire_cursors=1.0)["expired"]) == 8
    assert sandbox.mutate(1, 0, users, expire_cursors=0.0)["expired"] == []
    assert sandbox.expire_cursors(users[0]) == 4
    assert sandbox.expire_cursors(users[0], CALENDAR) == 1


def test_truth_can_be_cut_to_a_source_and_a_time(sandbox, new_user):
    user = new_user(events=40, messages=3)
    everything = [stream for stream, _, _ in sandbox.truth(user)]
    calendars = [stream for stream, _, _ in sandbox.truth(user, CALENDAR)]
    recent = list(sandbox.truth(user, CALENDAR, time_min="2027-06-01T00:00:00Z"))
    assert len(everything) > len(calendars) > len(recent) > 0


def test_truth_is_complete_when_it_spans_many_chunks(sandbox, new_user):
    user = new_user(contacts=1203)
    ids = [item_id for _, item_id, _ in sandbox.truth(user, CONTACTS)]
    assert len(ids) == len(set(ids)) == 1203


def test_the_clock_only_moves_forward(sandbox):
    before = sandbox.clock()
    after = sandbox.clock(3600)
    assert after > before
    with pytest.raises(SandboxError, match=r"^400: advance_seconds:"):
        sandbox.clock(-1)


def test_health_tells_the_number_of_users(sandbox, new_user):
    new_user()
    health = sandbox.health()
    assert health["status"] == "ok"
    assert health["users"] == len(sandbox.users())


def test_removing_what_is_not_there_changes_nothing(sandbox, new_user):
    user = new_user(contacts=1)
    rev = sandbox.remove(user, CONTACTS, "connections", "people/c404")
    assert sandbox.remove(user, CONTACTS, "connections", "people/c404") == rev


def put(source: str, stream: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "put", "source": source, "stream": stream, "item_id": "x", "item": item}


MAIL: dict[str, Any] = {"threadId": "t", "internalDate": "1", "payload": {}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "explode"}, "change.kind"),
        (put("google_gmail", "messages", MAIL) | {"colour": "red"}, "change.colour"),
        (put("yahoo", "messages", MAIL), "change.source"),
        ({"kind": "remove", "source": "google_tasks", "stream": "tasklists"}, "change.item_id"),
        (put("google_calendar", "events/unknown", {}), "stream"),
        (put("google_tasks", "tasks/unknown", {}), "stream"),
    ],
)
def test_a_wrong_change_is_refused_by_the_name_of_its_field(sandbox, new_user, change, field):
    with pytest.raises(SandboxError, match=f"^400: {field}:"):
        sandbox.apply(new_user(), change)


def test_a_message_cannot_be_rewritten(sandbox, new_user):
    user = new_user()
    sandbox.apply(user, put("google_gmail", "messages", MAIL))
    changed = MAIL | {"payload": {"mimeType": "text/plain"}}
    with pytest.raises(SandboxError, match="payload"):
        sandbox.apply(user, put("google_gmail", "messages", changed))
    with pytest.raises(SandboxError, match="threadId"):
        sandbox.apply(user, put("google_gmail", "messages", MAIL | {"threadId": "other"}))


def test_an_exception_needs_its_series(sandbox, new_user):
    user = new_user()
    item = {"recurringEventId": "nothing", "originalStartTime": {"date": "2026-01-01"}}
    with pytest.raises(SandboxError, match="recurringEventId"):
        sandbox.apply(user, put(CALENDAR, f"events/{user}@sandbox.example", item))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("users", {"count": "three"}, "count"),
        ("users", {"count": -1}, "count"),
        ("users", {"count": 1, "colour": "red"}, "colour"),
        ("users", {"user": "x", "size": {"cats": 1}}, "size.cats"),
        ("users", {"user": "a b", "size": {}}, "user"),
        ("users", {"user": "x", "size": {"events": 1}}, "events need"),
        ("mutate", {"seed": 1}, "changes"),
        ("mutate", {"changes": 1, "expire_cursors": 2}, "expire_cursors"),
        ("tokens", {"user": "nobody", "action": "revoke"}, "user"),
        ("expire_cursors", {"source": "yahoo"}, "source"),
        ("settings", {"quota_scale": 0}, "quota_scale"),
        ("settings", {"quotas_enabled": 1}, "quotas_enabled"),
        ("settings", {"colour": "red"}, "colour"),
        ("clock", {"advance_seconds": "soon"}, "advance_seconds"),
        ("faults", [1], "body"),
        ("faults", {}, "kind"),
    ],
)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(sandbox, path, body, field):
    answer = requests.post(f"{sandbox.base_url}/control/{path}", json=body, timeout=10)
    assert answer.status_code in {400, 404}
    assert answer.json()["error"].startswith(field)


def test_what_is_no_json_is_refused(sandbox):
    answer = requests.post(f"{sandbox.base_url}/control/mutate", data="{", timeout=10)
    assert answer.status_code == 400


def test_many_threads_read_while_things_change(sandbox, new_user, sign_in):
    user = new_user(calendars=2, events=60, messages=30, contacts=30, tasks=30)

    def read() -> int:
        google = sign_in(user)
        for _ in range(5):
            pages(google.calendar.events().list, calendarId="primary", maxResults=20)
            pages(google.gmail.messages().list, userId="me", maxResults=10)
        return 10

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        for turn in range(4):
            sandbox.mutate(turn, 25, [user])
        assert sum(reader.result() for reader in readers) == 80
