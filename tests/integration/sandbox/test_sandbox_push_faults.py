"""Notifications that are lost, late, twice or refused: ordered faults, and answers of receivers."""

from __future__ import annotations

import uuid

import pytest
from waiting import wait_until

from pipeline.sandbox.client import SandboxError

CALENDAR = "google_calendar"
PUSH = {"method": "push"}


@pytest.fixture
def ada(new_user):
    return new_user()


@pytest.fixture
def watch(sandbox, ada, sign_in, receiver):
    """Open a channel on ada's calendar, and wait for its first word; returns its id."""
    calendar = sign_in(ada).calendar

    def make(**given) -> str:
        body = {"id": str(uuid.uuid4()), "type": "web_hook", "address": f"{receiver.url}/calendar"}
        channel_id = (
            calendar.events().watch(calendarId="primary", body=body | given).execute()["id"]
        )
        sandbox.wait_until_quiet()
        return channel_id

    return make


def write(sandbox, user, number: int) -> None:
    times = {"start": {"date": "2026-03-01"}, "end": {"date": "2026-03-02"}}
    item = {"status": "confirmed", "summary": f"Event {number}"} | times
    sandbox.put(user, CALENDAR, f"events/{user}@sandbox.example", f"event{number}", item)


def outcomes(sandbox) -> dict[str, int]:
    return sandbox.wait_until_quiet()["outcomes"]


def wait_for(sandbox, outcome: str, count: int = 1) -> None:
    """Return once it has happened so often; the clock may be moved then."""
    wait_until(lambda: sandbox.pushes()["outcomes"].get(outcome) == count, outcome)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_calendar_tries_again_after_a_server_error(sandbox, ada, watch, receiver, status):
    watch()
    receiver.answer_with(status, status)
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 2, "retried": 2}
    numbers = [push.number for push in receiver.received[1:]]
    assert len(numbers) == 3
    assert len(set(numbers)) == 1


@pytest.mark.parametrize("status", [203, 301, 400, 404, 429, 501])
def test_calendar_gives_up_on_any_other_answer(sandbox, ada, watch, receiver, status):
    watch()
    receiver.answer_with(status)
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 1, "failed": 1}


def test_the_attempts_are_counted(sandbox, ada, watch, receiver):
    watch()
    sandbox.settings(push_attempts=3)
    receiver.answer = lambda _: 503
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 1, "retried": 2, "failed": 1}


def test_the_wait_doubles_and_passes_by_the_clock_of_the_sandbox(sandbox, ada, watch, receiver):
    watch()
    sandbox.settings(push_backoff_seconds=600)
    receiver.answer_with(503, 503)
    write(sandbox, ada, 1)
    wait_for(sandbox, "retried", 1)
    sandbox.clock(600)
    wait_for(sandbox, "retried", 2)
    sandbox.clock(600)
    assert sandbox.pushes()["waiting"] == 1
    assert len(receiver.received) == 3
    sandbox.clock(600)
    assert outcomes(sandbox) == {"sent": 2, "retried": 2}


def test_a_receiver_that_is_down_is_tried_again(sandbox, ada, watch, receiver):
    watch(address="http://127.0.0.1:9/nobody")
    assert outcomes(sandbox) == {"retried": 4, "failed": 1}


def test_a_receiver_that_hangs_holds_up_nobody_else(sandbox, ada, watch, receiver, new_user):
    watch()
    sandbox.settings(push_timeout_seconds=0.2, push_attempts=2)
    slow = watch(address=f"{receiver.url}/slow")
    release = receiver.hang_on("/slow")
    write(sandbox, ada, 1)
    receiver.wait_for(3)
    assert receiver.received[-1].path == "/calendar"
    assert outcomes(sandbox) == {"sent": 3, "retried": 1, "failed": 1}
    release()
    assert slow


def test_those_behind_a_failed_one_wait_for_it(sandbox, ada, watch, receiver):
    watch()
    sandbox.settings(push_backoff_seconds=600)
    receiver.answer_with(503)
    write(sandbox, ada, 1)
    wait_for(sandbox, "retried")
    write(sandbox, ada, 2)
    sandbox.clock(600)
    sandbox.wait_until_quiet()
    numbers = [push.number for push in receiver.received]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 3


def test_a_lost_one_never_comes(sandbox, ada, watch, receiver):
    watch()
    sandbox.fault("push_lose", match={"user": ada})
    write(sandbox, ada, 1)
    write(sandbox, ada, 2)
    assert outcomes(sandbox) == {"sent": 2, "lost": 1}


def test_a_share_is_lost(sandbox, ada, watch, receiver):
    watch()
    sandbox.fault("push_lose", match=PUSH, probability=0.5, seed=3)
    for number in range(30):
        write(sandbox, ada, number)
    found = outcomes(sandbox)
    assert found["sent"] + found["lost"] == 31
    assert 5 < found["lost"] < 25


def test_one_comes_twice(sandbox, ada, watch, receiver):
    watch()
    sandbox.fault("push_duplicate", match={"path": "/calendar"})
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 3}
    assert receiver.received[1] == receiver.received[2]


def test_a_delayed_one_holds_up_those_behind_it(sandbox, ada, watch, receiver):
    watch()
    sandbox.fault("push_delay", params={"seconds": 600})
    write(sandbox, ada, 1)
    write(sandbox, ada, 2)
    wait_for(sandbox, "delayed")
    assert sandbox.pushes()["waiting"] == 2
    sandbox.clock(600)
    sandbox.wait_until_quiet()
    numbers = [push.number for push in receiver.received]
    assert numbers == sorted(numbers)
    assert len(numbers) == 3


def test_a_reordered_one_is_overtaken(sandbox, ada, watch, receiver):
    watch()
    sandbox.fault("push_reorder", params={"seconds": 600})
    write(sandbox, ada, 1)
    write(sandbox, ada, 2)
    receiver.wait_for(2)
    sandbox.clock(600)
    sandbox.wait_until_quiet()
    numbers = [push.number for push in receiver.received]
    assert numbers == [numbers[0], max(numbers), numbers[2]]


def test_a_wrong_token_is_on_one_message(sandbox, ada, watch, receiver):
    watch(token="secret")
    sandbox.fault("push_wrong_token")
    write(sandbox, ada, 1)
    write(sandbox, ada, 2)
    sandbox.wait_until_quiet()
    tokens = [push.headers["x-goog-channel-token"] for push in receiver.received]
    assert (tokens[0], tokens[2]) == ("secret", "secret")
    assert tokens[1] != "secret"


def test_a_silent_channel_looks_alive(sandbox, ada, watch, receiver):
    channel_id = watch()
    sandbox.fault("push_silence")
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 1, "lost": 1}
    write(sandbox, ada, 2)
    assert outcomes(sandbox) == {"sent": 1, "lost": 2}
    (found,) = sandbox.watches(ada)
    assert (found["name"], found["silent"], found["ended"]) == (channel_id, True, False)
    watch()
    write(sandbox, ada, 3)
    assert outcomes(sandbox) == {"sent": 3, "lost": 3}


def test_a_rule_for_pushes_strikes_no_request(sandbox, ada, watch, receiver, sign_in):
    sandbox.fault("push_lose", times=None)
    sandbox.fault("status", times=1, params={"code": 503}, match={"method": "push"})
    assert sign_in(ada).calendar.calendarList().list().execute()["items"]
    watch()
    assert receiver.received == []
    assert [rule["hits"] for rule in sandbox.faults()] == [1, 0]


def test_a_rule_can_be_for_one_api_or_user(sandbox, ada, watch, receiver):
    watch()
    for match in ({"api": "gmail"}, {"user": "nobody"}, {"path": "/other"}, {"method": "watch"}):
        sandbox.fault("push_lose", match=match)
    sandbox.fault("push_wrong_jwt")
    write(sandbox, ada, 1)
    assert outcomes(sandbox) == {"sent": 2}
    assert not any(rule["hits"] for rule in sandbox.faults())


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "push_wrong_jwt", "params": {"how": "nicely"}}, "params.how"),
        ({"kind": "push_delay", "params": {"seconds": -1}}, "params.seconds"),
        ({"kind": "push_lose", "params": {"seconds": 1}}, "params.seconds"),
    ],
)
def test_a_wrong_rule_is_refused_by_the_name_of_its_field(sandbox, rule, field):
    with pytest.raises(SandboxError, match=f"^400: {field}:"):
        sandbox.fault(**rule)


@pytest.mark.parametrize("name", ["push_attempts", "push_timeout_seconds"])
def test_a_setting_of_pushes_is_positive(sandbox, name):
    with pytest.raises(SandboxError, match=f"^400: {name}"):
        sandbox.settings(**{name: 0})
