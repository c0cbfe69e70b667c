"""`headrace queues`, `jobs`, `pause`, `resume` and `schedules` against real stores and a worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from history_jobs import Carrier, entry, in_the_table, send, until_state, working
from typer.testing import CliRunner, Result
from waiting import wait_until

from models import User
from pipeline import dead_letters, ticks
from pipeline.cli.main import app
from pipeline.jobs import controls
from pipeline.jobs.workers import serving, workers
from pipeline.schedules import SCHEDULES


@pytest.fixture(autouse=True)
def table(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A queue of parcels beside the real ones; the stores are empty."""
    with in_the_table(monkeypatch):
        yield


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    """A worker that has said what it serves."""
    made = Carrier()
    with working(made):
        wait_until(lambda: serving("parcels", workers()), "a worker is there")
        yield made


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def document(*arguments: str) -> Any:
    return json.loads(headrace(*arguments, "--json").stdout)


def queue(name: str) -> dict[str, Any]:
    [found] = [row for row in document("queues")["queues"] if row["queue"] == name]
    return dict(found)


def test_queues_tell_their_jobs_workers_and_rules(carrier: Carrier) -> None:
    until_state(send("ada", note="far"), "running")
    send("bob", delay_seconds=60)
    found = queue("parcels")
    assert (found["running"], found["delayed"], found["places"]) == (1, 1, 4)
    assert (found["attempts"], found["backoff_ms"], found["priority"]) == (2, 3_600_000, 1)
    assert found["workers"] == [entry(send("ada")).worker]
    assert not found["unserved"]
    shown = headrace("queues").stdout
    assert "1 of 4" in shown
    assert "1 worker" in shown


def test_a_queue_on_which_nobody_works_is_told_of() -> None:
    assert not queue("parcels")["unserved"]
    send("ada")
    assert queue("parcels")["unserved"]
    assert "parcels has waiting jobs and no worker" in headrace("queues").stdout


def test_pauses_are_set_listed_and_ended(carrier: Carrier) -> None:
    result = headrace("pause", "parcels", "--reason", "deploy", "--for", "2h", "--as", "ada")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "queue:parcels is paused until" in result.stderr
    [pause] = document("pause")["pauses"]
    assert (pause["scope"], pause["reason"], pause["by"]) == ("queue:parcels", "deploy", "ada")
    ends = datetime.fromisoformat(pause["until"]) - datetime.now(UTC)
    assert timedelta(minutes=119) < ends < timedelta(minutes=121)
    assert "deploy" in headrace("pause").stdout
    assert queue("parcels")["paused"][0]["reason"] == "deploy"
    assert "parcels is paused by ada: deploy (" in headrace("queues").stdout
    message_id = send("ada")
    assert "queue:parcels is paused by ada" in headrace("jobs", "show", message_id).stdout
    assert document("resume", "parcels") == {"scope": "queue:parcels", "resumed": True}
    until_state(message_id, "completed")
    assert document("pause") == {"pauses": []}
    assert "Nothing is paused" in headrace("pause").stderr


def test_a_scope_is_paused_only_if_its_user_is_known() -> None:
    User(id="alice", created_at=datetime.now(UTC)).save()
    result = headrace("pause", "user:alic")
    assert result.exit_code == 2
    assert "did you mean 'alice'?" in result.stderr
    assert document("pause", "user:alice")["until"] is None
    assert "Also paused: user:alice" in headrace("queues").stderr


def test_resuming_what_is_not_paused_names_what_is() -> None:
    controls.pause("user:alice", reason="", by="test")
    result = headrace("resume", "user:alic")
    assert result.exit_code == 0
    assert "did you mean 'user:alice'?" in result.stderr
    assert document("resume", "graph") == {"scope": "queue:graph", "resumed": False}


def test_jobs_are_listed_and_searched_a_page_at_a_time() -> None:
    ids = [send(f"ada{number}") for number in range(3)]
    send("bob")
    first = document("jobs", "list", "--search", "ada", "--limit", "2")
    rest = document("jobs", "list", "--search", "ada", "--before", first["next"])
    assert {row["message_id"] for row in first["jobs"] + rest["jobs"]} == set(ids)
    assert rest["next"] is None
    assert first["query_ms"] < 1000
    shown = headrace("jobs", "list", "--search", "ada", "--limit", "2")
    assert first["next"] in shown.stderr
    assert ids[2] in shown.stdout or ids[1] in shown.stdout
    assert "No job is like that" in headrace("jobs", "list", "--state", "failed").stderr


def test_without_a_command_the_latest_jobs_are_listed() -> None:
    assert "There are no jobs" in headrace("jobs").stderr
    send("ada")
    assert "carry:sofa:ada" in headrace("jobs").stdout
    assert [row["job_id"] for row in document("jobs")["jobs"]] == ["carry:sofa:ada"]


def test_a_job_is_shown_with_its_arguments_redacted(carrier: Carrier) -> None:
    message_id = until_state(send("ada@example.com", note="torn"), "failed").message_id
    shown = headrace("jobs", "show", message_id).stdout
    told = json.dumps(document("jobs", "show", message_id))
    for text in (shown, told):
        assert "(4 characters)" in text
        assert "the parcel is torn" in text
        assert "permanent" in text
        assert "history_jobs.py" in text
        assert "on the way" in text
    assert "user_id a…@…" in shown
    revealed = headrace("jobs", "show", message_id, "--reveal").stdout
    assert "user_id ada@example.com" in revealed
    assert "note torn" in revealed
    for arguments in (
        ("show", message_id),
        ("logs", message_id),
        ("list",),
        ("cancel", message_id),
    ):
        for said in (headrace("jobs", *arguments), headrace("jobs", *arguments, "--json")):
            assert "example.com" not in said.output


def test_a_job_is_shown_with_what_it_sent_and_its_other_runs(carrier: Carrier) -> None:
    first = until_state(send("ada", note="many"), "completed").message_id
    second = until_state(send("ada"), "completed").message_id
    found = document("jobs", "show", "carry:sofa:ada")
    assert found["message_id"] == second
    assert [run["message_id"] for run in found["earlier_runs"]] == [first]
    [child] = document("jobs", "show", first)["sent"]
    assert (child["job_id"], child["parent"]) == ("carry:sofa_child:ada", first)
    assert f"{first} (carry:sofa:ada)" in headrace("jobs", "show", child["message_id"]).stdout


@pytest.mark.parametrize("command", ["show", "logs", "retry", "cancel", "promote"])
def test_a_job_that_there_is_not_is_wrong_use(command: str) -> None:
    result = headrace("jobs", command, "carry:sofa:nobody")
    assert result.exit_code == 2
    assert "carry:sofa:nobody" in result.stderr


def test_the_log_of_a_job_is_printed_and_followed_to_its_end(carrier: Carrier) -> None:
    message_id = until_state(send("ada", note="far"), "running").message_id
    timer = threading.Timer(1.5, carrier.go_on.set)
    timer.start()
    followed = headrace("jobs", "logs", message_id, "--follow")
    assert entry(message_id).state == "completed"
    assert followed.stdout.count("on the way user_id=ada") == 1
    [line] = document("jobs", "logs", message_id)["lines"]
    assert (line["text"], line["fields"]) == ("on the way", {"user_id": "ada"})


def test_retrying_a_failed_job_replays_its_dead_letter(carrier: Carrier) -> None:
    message_id = until_state(send("ada", note="torn"), "failed").message_id
    again = headrace("jobs", "retry", message_id)
    assert again.exit_code == 1
    assert "It failed again: Torn: the parcel is torn" in again.stderr
    carrier.tape = True
    done = document("jobs", "retry", message_id)
    assert done["action"] == "replayed"
    assert entry(done["message_id"]).state == "completed"
    letter = dead_letters.find(message_id)
    assert letter is not None
    assert letter["status"] == "replayed"


def test_retrying_a_failed_job_without_a_dead_letter_sends_it_anew(carrier: Carrier) -> None:
    message_id = send("ada", delay_seconds=60)
    assert document("jobs", "cancel", message_id)["action"] == "cancelled"
    assert entry(message_id).failure is not None
    done = document("jobs", "retry", message_id)
    assert done["action"] == "sent"
    fresh = until_state(done["message_id"], "completed")
    assert fresh.arguments == ("ada", "sofa", "home")
    assert fresh.scopes == entry(message_id).scopes


def test_retrying_a_job_that_is_back_already_sends_nothing() -> None:
    message_id = send("ada")
    controls.cancel(message_id)
    back = send("ada")
    assert document("jobs", "retry", message_id) == {
        "action": "already_there",
        "message_id": back,
    }


@pytest.mark.parametrize("command", ["retry", "promote"])
def test_a_delayed_job_can_start_at_once(carrier: Carrier, command: str) -> None:
    message_id = send("ada", delay_seconds=600)
    assert document("jobs", command, message_id)["action"] == "promoted"
    until_state(message_id, "completed")


def test_only_what_makes_sense_can_be_done_to_a_job(carrier: Carrier) -> None:
    done = until_state(send("ada"), "completed").message_id
    for command in ("retry", "cancel", "promote"):
        result = headrace("jobs", command, done)
        assert result.exit_code == 2
        assert "is completed" in result.stderr


def test_a_running_job_is_asked_to_stop(carrier: Carrier) -> None:
    message_id = until_state(send("ada", note="steps"), "running").message_id
    assert document("jobs", "cancel", message_id)["action"] == "asked_to_stop"
    cancelled = until_state(message_id, "failed").failure
    assert cancelled is not None
    assert cancelled.reason == "cancelled"


def test_schedules_tell_when_they_fire_and_who_sent_the_last_tick() -> None:
    slot = datetime.now(UTC).replace(second=0, microsecond=0)
    sent = ticks.send_tick(SCHEDULES[0], slot)
    found = {row["name"]: row for row in document("schedules", "list")["schedules"]}
    assert set(found) == {schedule.name for schedule in SCHEDULES}
    first, other = found[SCHEDULES[0].name], found[SCHEDULES[1].name]
    assert (first["in_words"], first["zone"]) == ("every minute", "UTC")
    moments = [datetime.fromisoformat(text) for text in first["next"]]
    assert [later - earlier for earlier, later in pairwise(moments)] == [timedelta(minutes=1)] * 4
    assert moments[0] > datetime.now(UTC)
    assert first["last"]["message_id"] == sent.message_id
    assert other["last"] is None
    shown = headrace("schedules").stdout
    assert "every minute" in shown
    assert "never" in shown


def test_a_schedule_can_be_run_now_and_runs_once_if_it_runs_already() -> None:
    first = document("schedules", "run", SCHEDULES[0].name)
    second = document("schedules", "run", SCHEDULES[0].name)
    assert (first["created"], second["created"]) == (True, False)
    assert first["message_id"] == second["message_id"]
    assert entry(first["message_id"]).state == "waiting"
