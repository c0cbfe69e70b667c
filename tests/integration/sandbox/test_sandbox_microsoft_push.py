"""Subscriptions to mailboxes, and what their receivers are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from graph_client import Graph

from pipeline.sandbox.app import running

STATE = "s3cret"


@pytest.fixture(scope="module")
def sandbox_base_url() -> Iterator[str]:
    """A sandbox of these tests' own, whose clock nobody else has moved."""
    with running() as base_url:
        yield base_url


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user(messages=0)
    sandbox.open_mailbox(user)
    return user


@pytest.fixture
def graph(sandbox, ada):
    opened = Graph(sandbox.base_url, sandbox.microsoft_grant(ada)["access_token"])
    yield opened
    opened.close()


def wanted(receiver, minutes=4000.0, **fields):
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "changeType": "created,updated,deleted",
        "notificationUrl": f"{receiver.url}/changes",
        "lifecycleNotificationUrl": f"{receiver.url}/lifecycle",
        "resource": "me/messages",
        "expirationDateTime": until.isoformat(),
        "clientState": STATE,
        **fields,
    }


def told(receiver):
    """Every notice so far as (change, id)."""
    notices = [notice for push in receiver.received for notice in push.notices]
    return [(notice["changeType"], notice["resourceData"]["id"]) for notice in notices]


def test_both_addresses_are_asked_and_then_told_of_changes(sandbox, ada, graph, receiver):
    made = graph.post("/subscriptions", wanted(receiver))
    assert [push.path.partition("?")[0] for push in receiver.asked] == ["/changes", "/lifecycle"]
    assert made["resource"] == "me/messages"
    message_id = sandbox.mail_add(ada, "inbox", {"subject": "m"})
    sandbox.mail_move(ada, message_id, "archive")
    sandbox.mail_remove(ada, message_id)
    sandbox.wait_until_quiet()
    changes = told(receiver)
    assert changes == [(kind, message_id) for kind in ("created", "updated", "deleted")]
    notice = receiver.received[0].notices[0]
    assert (notice["subscriptionId"], notice["clientState"]) == (made["id"], STATE)
    assert notice["resource"].endswith(f"/Messages/{message_id}")
    assert receiver.received[0].path == "/changes"
    assert [sub["id"] for sub in graph.get("/subscriptions")["value"]] == [made["id"]]
    assert graph.ask("DELETE", f"/subscriptions/{made['id']}").status_code == 204
    sandbox.mail_add(ada, "inbox", {"subject": "untold"})
    sandbox.wait_until_quiet()
    assert len(told(receiver)) == 3
    assert graph.refusal("GET", f"/subscriptions/{made['id']}") == (404, "ResourceNotFound")


def test_a_folders_subscription_sees_what_comes_and_goes(sandbox, ada, graph, receiver):
    graph.post("/subscriptions", wanted(receiver, resource="me/mailFolders('inbox')/messages"))
    message_id = sandbox.mail_add(ada, "archive")
    sandbox.mail_move(ada, message_id, "inbox")
    sandbox.mail_move(ada, message_id, "archive")
    sandbox.wait_until_quiet()
    assert told(receiver) == [("created", message_id), ("deleted", message_id)]


def test_without_immutable_ids_a_move_is_a_new_message(sandbox, ada, graph, receiver):
    message_id = sandbox.mail_add(ada)
    graph.session.headers["Prefer"] = "respond-async"
    graph.post("/subscriptions", wanted(receiver))
    old = graph.get(f"/me/messages/{message_id}")["id"]
    sandbox.mail_move(ada, message_id, "archive")
    sandbox.wait_until_quiet()
    new = graph.get(f"/me/messages/{message_id}")["id"]
    assert told(receiver) == [("deleted", old), ("created", new)]


def test_many_changes_come_in_one_body_and_failed_ones_again(sandbox, ada, graph, receiver):
    graph.post("/subscriptions", wanted(receiver))
    release = receiver.hang_on("/changes")
    made = [sandbox.mail_add(ada)]
    receiver.hanging.wait(10)
    made += [sandbox.mail_add(ada) for _ in range(9)]
    left = [503]
    release()
    receiver.answer = lambda _: left.pop() if left else 202
    sandbox.wait_until_quiet()
    bodies = [[n["resourceData"]["id"] for n in push.notices] for push in receiver.received]
    assert bodies[0] == made[:1]
    assert {message_id for body in bodies for message_id in body} == set(made)
    assert max(len(body) for body in bodies) > 1
    outcomes = sandbox.pushes()["outcomes"]
    assert (outcomes["sent"], outcomes["retried"] >= 1) == (10, True)


def test_one_body_may_tell_of_many_mailboxes(sandbox, ada, graph, receiver, new_user):
    names = [ada, *(new_user(messages=0) for _ in range(5))]
    for name in names[1:]:
        sandbox.open_mailbox(name)
    opened = [graph] + [
        Graph(sandbox.base_url, sandbox.microsoft_grant(name)["access_token"]) for name in names[1:]
    ]
    owners = {one.post("/subscriptions", wanted(receiver))["id"] for one in opened}
    release = receiver.hang_on("/changes")
    sandbox.mail_add(ada)
    receiver.hanging.wait(10)
    made = [sandbox.mail_add(name) for name in names * 2]
    release()
    sandbox.wait_until_quiet()
    notices = [[n["subscriptionId"] for n in push.notices] for push in receiver.received]
    assert {owner for body in notices for owner in body} == owners
    assert max(len(set(body)) for body in notices) > 1
    told_ids = [message_id for _, message_id in told(receiver)]
    assert set(made) < set(told_ids)
    assert len(told_ids) == len(made) + 1
    for one in opened[1:]:
        one.close()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"minutes": 10_071}, "InvalidRequest"),
        ({"minutes": -1}, "InvalidRequest"),
        ({"clientState": "x" * 129}, "InvalidRequest"),
        ({"changeType": "moved"}, "InvalidRequest"),
        ({"resource": "me/events"}, "InvalidRequest"),
        ({"resource": "users/bob@sandbox.example/messages"}, "InvalidRequest"),
        ({"notificationUrl": "http://elsewhere.example/"}, "InvalidRequest"),
        ({"notificationUrl": "http://127.0.0.1:9/"}, "ValidationError"),
    ],
)
def test_what_is_asked_wrongly_is_refused(graph, receiver, fields, code):
    assert graph.refusal("POST", "/subscriptions", json=wanted(receiver, **fields)) == (400, code)


def test_a_receiver_that_echoes_something_else_gets_nothing(graph, receiver):
    receiver.echo = lambda token: f'"{token}"'
    refused = graph.refusal("POST", "/subscriptions", json=wanted(receiver))
    assert refused == (400, "ValidationError")
    assert graph.get("/subscriptions")["value"] == []


def test_lives_are_bounded_and_renewed(sandbox, graph, receiver):
    made = graph.post("/subscriptions", wanted(receiver, minutes=1))
    soon = datetime.fromisoformat(made["expirationDateTime"]) - datetime.now(UTC)
    assert timedelta(minutes=44) < soon < timedelta(minutes=46)
    assert graph.refusal("POST", "/subscriptions", json=wanted(receiver)) == (409, "Conflict")
    path = f"/subscriptions/{made['id']}"
    later = wanted(receiver)["expirationDateTime"]
    renewed = graph.ask("PATCH", path, json={"expirationDateTime": later}).json()
    assert renewed["expirationDateTime"] > made["expirationDateTime"]
    sandbox.settings(microsoft_subscription_minutes=1440)
    reply = graph.ask("PATCH", path, json={"expirationDateTime": later})
    sandbox.settings(microsoft_subscription_minutes=10_070)
    assert "only be 1440 minutes in the future." in reply.json()["error"]["message"]
    assert graph.ask("POST", f"{path}/reauthorize").status_code == 204


def test_lifecycle_notices_go_to_their_own_address(sandbox, ada, graph, receiver):
    made = graph.post("/subscriptions", wanted(receiver))
    for event in ("reauthorizationRequired", "missed", "subscriptionRemoved"):
        assert sandbox.mail_lifecycle(ada, event) == 1
        sandbox.wait_until_quiet()
    pushes = receiver.received
    assert {push.path for push in pushes} == {"/lifecycle"}
    assert [push.notices[0]["lifecycleEvent"] for push in pushes] == [
        *("reauthorizationRequired", "missed", "subscriptionRemoved")
    ]
    assert pushes[0].notices[0]["clientState"] == STATE
    assert graph.refusal("GET", f"/subscriptions/{made['id']}")[0] == 404
    sandbox.mail_add(ada)
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 3}


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("push_lose", {}, [1, 2]),
        ("push_duplicate", {}, [0, 0, 1, 2]),
        ("push_delay", {"seconds": 0.05}, [0, 1, 2]),
        ("push_reorder", {"seconds": 0.2}, [1, 2, 0]),
        ("push_silence", {}, []),
        ("push_wrong_token", {}, [0, 1, 2]),
    ],
)
def test_faults_strike_notices(sandbox, ada, graph, receiver, kind, params, expected):
    graph.post("/subscriptions", wanted(receiver))
    sandbox.fault(kind, match={"api": "microsoft", "user": ada}, params=params)
    made = [sandbox.mail_add(ada) for _ in range(3)]
    sandbox.wait_until_quiet()
    notices = [notice for push in receiver.received for notice in push.notices]
    assert [notice["resourceData"]["id"] for notice in notices] == [made[n] for n in expected]
    wrong = [notice["clientState"] != STATE for notice in notices]
    assert wrong == [kind == "push_wrong_token" and n == 0 for n in range(len(expected))]
