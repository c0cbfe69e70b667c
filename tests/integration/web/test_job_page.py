"""The Jobs page over all queues, and the page of one job: its story, and what is done with it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from browsers import signed_in
from history_jobs import Carrier, entry, send, until_state
from job_pages import HX, act, read
from own_redis import OwnRedis, talking_to
from starlette.testclient import TestClient

from models import AuditLog
from pipeline import dead_letters, dispatch
from pipeline.jobs import controls
from pipeline.stores import collection

HOME = "/admin/jobs"


pytestmark = pytest.mark.usefixtures("parcels")


def page_of(client: TestClient, message_id: str, query: str = "") -> str:
    return read(client, f"{HOME}/{message_id}{query}")


def test_jobs_of_all_queues_are_listed_and_searched_together(operator: TestClient) -> None:
    send("ada")
    dispatch.send("sweep")
    page = read(operator, HOME)
    assert "carry:sofa:ada" in page
    assert "sweep on graph" in page
    only = read(operator, f"{HOME}?q=queue:graph")
    assert "sweep on graph" in only
    assert "carry:sofa:ada" not in only
    assert "Waiting 2" in page
    assert "Waiting 1" in only
    assert "there is no queue 'graf'; did you mean 'graph'" in read(
        operator, f"{HOME}?q=queue:graf"
    ).replace("There", "there")


def test_a_job_tells_its_story_from_the_beginning(carrier: Carrier, operator: TestClient) -> None:
    message_id = send("ada", note="nobody there")
    until_state(message_id, "delayed")
    put_off = page_of(operator, message_id)
    assert "It is put off: attempt 1 of 2 failed." in put_off
    assert "Attempt 1 failed" in put_off
    assert "OSError" in put_off
    controls.promote(message_id)
    failed = until_state(message_id, "failed")
    page = page_of(operator, message_id)
    assert "It failed (attempts spent)." in page
    assert page.count(f"on {failed.worker}") == 2
    story = ("Enqueued", "Attempt 1 failed", "Attempt 2 began", "OSError; after running")
    assert [page.index(part) for part in story] == sorted(page.index(part) for part in story)
    assert "2 / 2" in page
    assert "history_jobs.py" in page
    # Each attempt with its own traceback.
    assert page.count("in carry") == 2


def test_what_ran_well_says_what_it_did(carrier: Carrier, operator: TestClient) -> None:
    message_id = until_state(send("ada"), "completed").message_id
    page = page_of(operator, message_id)
    assert "It completed." in page
    assert "carried for ada" in page
    assert "Retry" not in page


def test_what_waits_says_what_holds_it(operator: TestClient) -> None:
    message_id = send("ada")
    assert "no worker serves the queue parcels" in page_of(operator, message_id)
    controls.pause("user:ada", reason="she asked", by="bob")
    page = page_of(operator, message_id)
    assert "user:ada is paused by bob: she asked" in page
    assert "Resume user" in page


def test_a_job_id_leads_to_its_latest_run_and_the_others(
    carrier: Carrier, operator: TestClient
) -> None:
    first = until_state(send("ada/../x"), "completed").message_id
    second = until_state(send("ada/../x", note="torn"), "failed").message_id
    page = read(operator, f"{HOME}/{quote('carry:sofa:ada/../x', safe='')}")
    assert "It failed" in page
    assert second in page
    assert "Other runs of it" in page
    assert first in page
    assert "Other runs of it" in page_of(operator, first)


def test_an_unknown_job_says_where_else_to_look(operator: TestClient) -> None:
    answer = operator.get(f"{HOME}/0123456789abcdef")
    assert answer.status_code == 404
    assert "each queue keeps only its newest jobs" in answer.text
    assert "dead letters" in answer.text


def test_arguments_are_redacted_and_revealed_once_to_who_asks(operator: TestClient) -> None:
    message_id = send("ada@example.com", note="<i>secret</i>")
    html = operator.get(f"{HOME}/{message_id}").text
    page = page_of(operator, message_id)
    assert "a…@…" in page
    assert "(13 characters)" in page
    assert "secret" not in html
    revealed = operator.post(f"{HOME}/{message_id}/reveal", headers=HX)
    assert revealed.status_code == 200
    assert revealed.headers["cache-control"] == "no-store"
    assert "ada@example.com" in revealed.text
    assert "&lt;i&gt;secret&lt;/i&gt;" in revealed.text
    assert "secret" not in operator.get(f"{HOME}/{message_id}").text
    [row] = collection(AuditLog).find({"action": "job.reveal"})
    assert (row["actor"], row["outcome"]) == ("the-operator", "done")
    assert row["target"] == f"message {message_id}"
    assert "secret" not in str(row)
    assert "example.com" not in str(row)


def test_a_viewer_reveals_and_changes_nothing(operator: TestClient) -> None:
    message_id = send("ada@example.com", delay_seconds=600)
    viewer = signed_in("viewer")
    html = viewer.get(f"{HOME}/{message_id}").text
    for button in ("Reveal", "Start now", "Cancel job", "Pause user"):
        assert button not in html
    for what in ("reveal", "promote", "cancel", "retry", "pause", "resume"):
        assert viewer.post(f"{HOME}/{message_id}/{what}", headers=HX).status_code == 403
    assert entry(message_id).state == "delayed"
    assert controls.pauses() == []


def test_the_second_of_two_who_cancel_is_told_so(operator: TestClient) -> None:
    message_id = send("ada")
    assert act(operator, f"{HOME}/{message_id}/cancel") == (
        204,
        "It is cancelled; there will be no dead letter.",
    )
    assert act(operator, f"{HOME}/{message_id}/cancel") == (
        409,
        "The job is cancelled already; there is nothing to cancel.",
    )
    assert "It failed (cancelled)." in page_of(operator, message_id)


def test_a_running_job_is_asked_to_stop_once(carrier: Carrier, operator: TestClient) -> None:
    message_id = send("ada", note="far")  # it does not hear before it goes on
    until_state(message_id, "running")
    status, told = act(operator, f"{HOME}/{message_id}/cancel")
    assert (status, told.startswith("It was asked to stop")) == (204, True)
    assert act(operator, f"{HOME}/{message_id}/cancel") == (
        409,
        "The job was asked to stop already.",
    )
    assert "It was asked to stop." in page_of(operator, message_id)


def test_a_delayed_job_is_started_once(operator: TestClient) -> None:
    message_id = send("ada", delay_seconds=600)
    assert act(operator, f"{HOME}/{message_id}/promote")[0] == 204
    status, told = act(operator, f"{HOME}/{message_id}/promote")
    assert status == 409
    assert told == "The job is waiting; only what is delayed can be started early."


def test_a_failed_job_is_retried_by_its_dead_letter(carrier: Carrier, operator: TestClient) -> None:
    message_id = until_state(send("ada", note="torn"), "failed").message_id
    dead_letters.drain()
    page = page_of(operator, message_id)
    assert "It became a dead letter, which is open" in page
    status, told = act(operator, f"{HOME}/{message_id}/retry")
    assert (status, told) == (204, "A job replays its dead letter.")
    assert act(operator, f"{HOME}/0123456789abcdef/retry")[0] == 404


def test_the_user_of_a_job_is_paused_and_resumed_from_its_page(operator: TestClient) -> None:
    message_id = send("ada@example.com")
    url = f"{HOME}/{message_id}"
    assert act(operator, f"{url}/pause", kind="user", reason="odd")[0] == 204
    assert [pause.scope for pause in controls.pauses()] == ["user:ada@example.com"]
    assert act(operator, f"{url}/pause", kind="planet", reason="odd")[0] == 409
    assert act(operator, f"{url}/resume", kind="user") == (204, "user:a…@… goes on.")
    assert act(operator, f"{url}/resume", kind="user")[0] == 409
    rows = list(collection(AuditLog).find({"action": {"$in": ["job.pause", "job.resume"]}}))
    assert "example.com" not in str(rows)


def test_log_lines_are_narrowed_down_by_level(carrier: Carrier, operator: TestClient) -> None:
    message_id = until_state(send("ada@example.com", note="torn"), "failed").message_id
    page = page_of(operator, message_id)
    assert "on the way" in page
    assert "job failed" in page
    assert "user_id=a…@…" in page
    errors = page_of(operator, message_id, "?level=ERROR")
    assert "job failed" in errors
    assert "on the way" not in errors
    assert "on the way" in page_of(operator, message_id, "?level=nonsense")


def test_a_job_leads_to_its_parent_and_children(carrier: Carrier, operator: TestClient) -> None:
    parent = until_state(send("ada", note="many"), "completed")
    page = operator.get(f"{HOME}/{parent.message_id}").text
    assert "Jobs that it sent" in page
    assert "carry:sofa_child:ada" in page
    child = read(operator, f"{HOME}/{quote('carry:sofa_child:ada', safe='')}")
    assert f"by job {parent.message_id}" in child
    assert "carry:sofa:ada" in child
    same = read(operator, f"{HOME}?q=correlation:{parent.correlation_id}")
    assert "carry:sofa_child:ada" in same
    assert "carry:sofa:ada" in same


def test_without_redis_a_job_that_was_seen_is_still_shown(own_redis: OwnRedis) -> None:
    own_redis.client.flushall()
    with talking_to(own_redis):
        operator = signed_in("operator")
        seen, unseen = send("ada"), send("bob")
        assert "It waits for its turn." in page_of(operator, seen)
        with own_redis.gone():
            page = page_of(operator, seen)
            assert "Redis does not answer" in page
            assert "It waits for its turn." in page
            assert "Redis does not answer" in page_of(operator, unseen)
