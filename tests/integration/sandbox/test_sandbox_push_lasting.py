"""What outlives a restart, a kill, and any sequence of changes and faults."""

from __future__ import annotations

import itertools
import signal
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from google_client import Google
from hypothesis import given, settings
from hypothesis import strategies as st
from push_receiver import Received, Receiver, listening
from test_sandbox_process import process
from waiting import wait_until

from pipeline.sandbox.app import running
from pipeline.sandbox.client import SandboxClient

CALENDAR, GMAIL = "google_calendar", "google_gmail"
TOPIC = "projects/headrace-sandbox/topics/gmail"


def write(sandbox: SandboxClient, user: str, number: int = 1) -> None:
    times = {"start": {"date": "2026-03-01"}, "end": {"date": "2026-03-02"}}
    item = {"status": "confirmed", "summary": f"Event {number}"} | times
    sandbox.put(user, CALENDAR, f"events/{user}@sandbox.example", f"event{number}", item)


def arrive(sandbox: SandboxClient, user: str, number: int) -> int:
    """A mail arrives; returns the mailbox's history id after it."""
    ids = {"id": f"m{number}", "threadId": f"m{number}"}
    mail = ids | {"labelIds": ["INBOX"], "internalDate": "1772323200000", "payload": {}}
    return sandbox.put(user, GMAIL, "messages", f"m{number}", mail)


def watch(sandbox: SandboxClient, user: str, receiver: Receiver) -> str:
    """Have a calendar and the mailbox pushed to the receiver; returns the channel's id."""
    google = Google(sandbox.base_url, sandbox.authorized_user(user))
    sandbox.topic(TOPIC, f"{receiver.url}/gmail")
    google.gmail.watch(userId="me", body={"topicName": TOPIC}).execute()
    body = {"id": str(uuid.uuid4()), "type": "web_hook", "address": f"{receiver.url}/calendar"}
    google.calendar.events().watch(calendarId="primary", body=body).execute()
    google.close()
    sandbox.wait_until_quiet()
    return body["id"]


def test_watches_and_their_numbers_outlive_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path / "sandbox.sqlite3")
    with listening() as receiver:
        with running(data) as base_url:
            sandbox = SandboxClient(base_url)
            sandbox.add_user("ada", calendars=1)
            channel_id = watch(sandbox, "ada", receiver)
            write(sandbox, "ada")
            sandbox.wait_until_quiet()
            sandbox.close()
        before = list(receiver.received)
        with running(data) as base_url:
            sandbox = SandboxClient(base_url)
            assert {found["api"] for found in sandbox.watches("ada")} == {"calendar", "gmail"}
            write(sandbox, "ada", 2)
            sandbox.wait_until_quiet()
            sandbox.close()
        (told,) = receiver.received[len(before) :]
        assert (told.channel, told.state) == (channel_id, "exists")
        assert told.number > before[-1].number


def test_what_waits_is_told_after_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.sqlite3"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with listening() as receiver:
        with process(data, port) as (running_process, sandbox):
            sandbox.add_user("ada", calendars=1)
            watch(sandbox, "ada", receiver)
            sandbox.fault("push_delay", params={"seconds": 3600}, match={"api": "calendar"})
            write(sandbox, "ada")
            wait_until(lambda: "delayed" in sandbox.pushes()["outcomes"], "it is kept back")
            running_process.send_signal(signal.SIGKILL)
            running_process.wait(10)
        before = len(receiver.received)
        with process(data, port) as (_, sandbox):
            sandbox.clock(3600)
            sandbox.wait_until_quiet()
        assert [push.state for push in receiver.received[before:]] == ["exists"]


def test_a_stop_does_not_wait_for_a_receiver_that_hangs(tmp_path: Path) -> None:
    data = str(tmp_path / "sandbox.sqlite3")
    with listening() as receiver:
        with running(data) as base_url:
            sandbox = SandboxClient(base_url)
            sandbox.add_user("ada", calendars=1)
            watch(sandbox, "ada", receiver)
            sandbox.settings(push_timeout_seconds=30)
            release = receiver.hang_on("/calendar")
            write(sandbox, "ada")
            assert receiver.hanging.wait(10)
            sandbox.close()
        with running(data) as base_url:
            sandbox = SandboxClient(base_url)
            release()
            sandbox.wait_until_quiet()
            sandbox.close()
        assert len({push.number for push in receiver.received[-2:]}) == 1


class Place:
    """A sandbox whose changes are all told, sooner or later."""

    def __init__(self, sandbox: SandboxClient, receiver: Receiver) -> None:
        self.sandbox, self.receiver = sandbox, receiver
        self.numbers = itertools.count(1)
        self.taken: set[tuple[str, int]] = set()
        self.refusals: list[int] = []
        receiver.answer = self._answer

    def _answer(self, push: Received) -> int:
        if push.path == "/gmail" and "authorization" not in push.headers:
            return 401
        if self.refusals:
            return self.refusals.pop()
        told = push.data["historyId"] if push.path == "/gmail" else push.number
        self.taken.add((push.path, told))
        return 204

    def event(self) -> tuple[str, int]:
        """Change an event; returns what has to be taken after it."""
        write(self.sandbox, "ada", next(self.numbers))
        (found,) = (row for row in self.sandbox.watches("ada") if row["api"] == "calendar")
        return "/calendar", found["number"]

    def mail(self) -> tuple[str, int]:
        return "/gmail", arrive(self.sandbox, "ada", next(self.numbers))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running() as base_url, listening() as receiver:
        sandbox = SandboxClient(base_url)
        sandbox.settings(push_backoff_seconds=0, push_attempts=100, gmail_push_interval_seconds=0)
        sandbox.add_user("ada", calendars=1)
        watch(sandbox, "ada", receiver)
        yield Place(sandbox, receiver)
        sandbox.close()


FAULTS = {
    "duplicate": ("push_duplicate", {}),
    "delay": ("push_delay", {"seconds": 0.01}),
    "reorder": ("push_reorder", {"seconds": 0.01}),
    "unsigned": ("push_wrong_jwt", {"how": "missing"}),
}
STEPS = st.sampled_from(["event", "mail", "500", "503", "quiet", *FAULTS])


@given(steps=st.lists(STEPS, max_size=15))
@settings(max_examples=30, deadline=None)
def test_every_change_is_told_of_whatever_goes_wrong_short_of_a_loss(place, steps) -> None:
    place.sandbox.clear_faults()
    place.refusals.clear()
    expected = set()
    for step in steps:
        if step in FAULTS:
            kind, params = FAULTS[step]
            place.sandbox.fault(kind, params=params)
        elif step == "quiet":
            place.sandbox.wait_until_quiet()
        elif step.isdecimal():
            place.refusals.append(int(step))
        else:
            expected.add(getattr(place, step)())
    place.sandbox.wait_until_quiet()
    assert expected <= place.taken
