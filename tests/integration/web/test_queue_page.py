"""The Queue page: its states, its search, pausing it, and acting on many of its jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from browsers import signed_in
from history_jobs import Carrier, entry, send, until_state
from job_pages import act, read, words
from own_redis import OwnRedis, talking_to
from starlette.testclient import TestClient
from waiting import wait_until

from models import AuditLog
from pipeline import dead_letters
from pipeline.jobs import controls
from pipeline.stores import collection
from pipeline.web import samples

HOME = "/admin/queues/parcels"


pytestmark = pytest.mark.usefixtures("parcels")


def test_each_state_has_its_jobs_and_says_what_about_them(
    carrier: Carrier, operator: TestClient
) -> None:
    failed = until_state(send("ada", note="torn"), "failed")
    until_state(send("bob"), "completed")
    until_state(send("cem", note="far"), "running")
    until_state(send("dan", note="nobody there"), "delayed")
    page = read(operator, HOME)
    for user in ("ada", "bob", "cem", "dan"):
        assert f"carry:sofa:{user}" in page
    assert "Running 1 / 4" in page
    assert "1 worker" in page
    failures = read(operator, f"{HOME}?state=failed")
    assert "Torn: the parcel is torn" in failures
    assert "acme" in failures
    assert "1 / 2" in failures
    assert failed.worker in failures
    assert "bob" not in failures
    assert "carried for bob" in read(operator, f"{HOME}?state=completed")
    running = f"{HOME}?state=running"
    wait_until(lambda: "half way" in read(operator, running), "the progress is shown")
    delayed = read(operator, f"{HOME}?state=delayed")
    assert "due in" in delayed
    assert "attempt 1 of 2 failed: OSError" in delayed


def test_a_failed_job_leads_to_the_group_of_its_dead_letter(
    carrier: Carrier, operator: TestClient
) -> None:
    failed = until_state(send("ada", note="torn"), "failed")
    dead_letters.drain()
    letter = dead_letters.find(failed.message_id)
    assert letter is not None
    html = operator.get(f"{HOME}?state=failed").text
    assert f'href="/admin/dead-letters/{letter["fingerprint"]}"' in html


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("", "There are no jobs"),
        ("waiting", "Nothing waits"),
        ("delayed", "Nothing is put off"),
        ("running", "Nothing runs"),
        ("completed", "Nothing has completed"),
        ("failed", "Nothing has failed"),
    ],
)
def test_an_empty_state_says_why_it_is(operator: TestClient, state: str, told: str) -> None:
    assert told in read(operator, f"{HOME}?state={state}")


def test_an_unknown_queue_is_not_found_but_the_nearest_is_named(operator: TestClient) -> None:
    answer = operator.get("/admin/queues/parcel")
    assert answer.status_code == 404
    assert "did you mean &#39;parcels&#39;?" in answer.text
    assert operator.post("/admin/queues/parcel/pause", data={"reason": "x"}).status_code == 303


def test_a_search_is_in_the_address_and_finds_what_all_terms_say(operator: TestClient) -> None:
    send("ada")
    send("ada", source="lamp")
    send("bob")
    assert "carry:lamp:ada" in read(operator, f"{HOME}?q=user:ada+source:lamp")
    found = read(operator, f"{HOME}?q=user:ada+source:lamp")
    assert "carry:sofa" not in found
    assert "No job is like that" in read(operator, f"{HOME}?q=user:zoe")
    by_actor = read(operator, f"{HOME}?q=actor:carry+state:waiting")
    assert "carry:sofa:bob" in by_actor
    assert 'name="q" value="user:ada"' in operator.get(f"{HOME}?q=user:ada").text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("usr:ada", "There is no term usr:; did you mean user:?"),
        ("state:waitin", "There is no state 'waitin'; did you mean 'waiting'?"),
        ("user: ada", "User: needs a value right behind it"),
        ('"two words', "A quotation mark has no partner"),
        ("queue:graph", "this list is of the queue parcels".capitalize()),
    ],
)
def test_a_query_that_makes_no_sense_is_explained_beside_the_field(
    operator: TestClient, query: str, told: str
) -> None:
    send("ada")
    page = read(operator, f"{HOME}?q={query}")
    assert told in page
    assert "correlation: all that one tick or request caused" in page
    assert "Nothing was searched" in page
    assert "carry:sofa:ada" not in page


def test_a_place_that_is_none_is_explained_too(operator: TestClient) -> None:
    assert "is not a place in the list of jobs" in read(operator, f"{HOME}?before=nowhere")


def test_a_long_list_goes_on_where_the_page_ends(operator: TestClient) -> None:
    for number in range(60):
        send(f"user{number:02}")
    first = operator.get(f"{HOME}?state=waiting").text
    [after] = [part for part in first.split('"') if part.startswith("?state=waiting&amp;before=")]
    second = operator.get(HOME + after.replace("&amp;", "&")).text
    on_first = {n for n in range(60) if f"user{n:02}" in first}
    on_second = {n for n in range(60) if f"user{n:02}" in second}
    assert len(on_first) == 50
    assert on_first | on_second == set(range(60))
    assert not on_first & on_second
    assert "First page" in second


def test_pausing_needs_a_reason_and_is_told_to_whoever_looks(operator: TestClient) -> None:
    assert act(operator, f"{HOME}/pause", reason=" ") == (
        409,
        "Say why: whoever looks at a pause wants to know.",
    )
    assert act(operator, f"{HOME}/pause", reason="x", lasting="soon")[0] == 409
    assert controls.pauses() == []
    status, told = act(operator, f"{HOME}/pause", reason="a deploy", lasting="900")
    assert (status, told) == (204, "queue:parcels is paused for 15 min; what runs, goes on.")
    [pause] = controls.pauses()
    assert (pause.scope, pause.reason, pause.by) == ("queue:parcels", "a deploy", "the-operator")
    assert pause.until is not None
    assert timedelta(minutes=14) < pause.until - datetime.now(UTC) < timedelta(minutes=15)
    send("ada")
    page = read(operator, HOME)
    assert "Paused by the-operator: a deploy" in page
    assert "no worker serves" not in page  # paused it is, that is why
    [row] = collection(AuditLog).find({"action": "queue.pause", "outcome": "done"})
    assert (row["actor"], row["target"], row["details"]["reason"]) == (
        "the-operator",
        "queue parcels",
        "a deploy",
    )


def test_of_two_who_resume_the_second_is_told_that_it_goes_on_already(operator: TestClient) -> None:
    controls.pause("queue:parcels", reason="", by="ada")
    assert act(operator, f"{HOME}/resume")[0] == 204
    assert act(operator, f"{HOME}/resume") == (409, "parcels is not paused (any more).")


def test_jobs_that_wait_for_workers_that_are_not_there_are_a_notice(operator: TestClient) -> None:
    assert "no worker serves this queue" not in read(operator, HOME)
    send("ada")
    assert "Jobs wait, and no worker serves this queue." in read(operator, HOME)


def test_selected_jobs_are_cancelled_each_by_itself(operator: TestClient) -> None:
    waiting, delayed = send("ada"), send("bob", delay_seconds=600)
    gone = "0123456789abcdef"
    status, told = act(operator, "/admin/jobs/cancel", id=[waiting, delayed, gone])
    assert status == 204
    assert told == "Cancelled: 2 jobs. Left as they were: 1 (is gone, and its history too)."
    assert [entry(one).state for one in (waiting, delayed)] == ["failed", "failed"]
    status, told = act(operator, "/admin/jobs/cancel", id=[waiting])
    assert status == 409
    assert told == (
        "Nothing was done. Left as they were: 1 (is cancelled already; there is nothing to cancel)."
    )
    assert act(operator, "/admin/jobs/cancel") == (409, "No job is selected.")


def test_delayed_jobs_are_started_now(operator: TestClient) -> None:
    delayed, waiting = send("bob", delay_seconds=600), send("ada")
    status, told = act(operator, "/admin/jobs/promote", id=[delayed, waiting])
    assert status == 204
    assert told.startswith("Started now: 1 job. Left as they were: 1 (is waiting; only what")
    assert entry(delayed).state == "waiting"


def test_failed_jobs_are_retried_by_their_dead_letters(
    carrier: Carrier, operator: TestClient
) -> None:
    failed = until_state(send("ada", note="torn"), "failed").message_id
    finished = until_state(send("bob"), "completed").message_id
    status, told = act(operator, "/admin/jobs/retry", id=[failed, finished])
    assert status == 204
    assert told.startswith("Retried: 1 job. Left as they were: 1 (is completed; only failed")
    letter = dead_letters.find(failed)
    assert letter is not None


def test_all_that_match_are_acted_on_if_they_are_not_too_many(
    operator: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        send(f"user{number}")
    send("ada", delay_seconds=600)
    fields = {"all": "1", "queue": "parcels", "state": "waiting", "q": ""}
    monkeypatch.setattr("pipeline.web.admin.job_list.MOST_AT_ONCE", 50)
    status, told = act(operator, "/admin/jobs/cancel", **fields)
    assert status == 409
    assert "More than 50 jobs fit; nothing was done" in told
    monkeypatch.undo()
    status, told = act(operator, "/admin/jobs/cancel", **fields)
    assert (status, told) == (204, "Cancelled: 60 jobs.")
    assert "carry:sofa:ada" in read(operator, f"{HOME}?state=delayed")


def test_a_viewer_sees_the_jobs_and_no_buttons(operator: TestClient) -> None:
    message_id = send("ada")
    viewer = signed_in("viewer")
    html = viewer.get(HOME).text
    assert "carry:sofa:ada" in words(html)
    assert 'name="id"' not in html
    assert "Pause…" not in html
    assert act(viewer, f"{HOME}/pause", reason="x")[0] == 403
    assert act(viewer, "/admin/jobs/cancel", id=[message_id])[0] == 403
    assert entry(message_id).state == "waiting"


def test_foreign_text_is_shown_as_text(operator: TestClient) -> None:
    evil = "<script>alert(1)</script>\"'&"
    send(evil, source="<b>bold</b>")
    html = operator.get(HOME).text
    assert "<script>alert" not in html
    assert "<b>bold" not in html
    assert "&lt;script&gt;" in html
    searched = operator.get(HOME, params={"q": f"user:{evil}"}).text
    assert "<script>alert" not in searched
    assert evil in read(operator, HOME)


def test_addresses_are_masked(operator: TestClient) -> None:
    send("ada@example.com")
    page = read(operator, HOME)
    assert "carry:sofa:a…@…" in page
    assert "ada@example.com" not in page


def test_wait_and_run_times_say_when_they_tell_little(
    carrier: Carrier, operator: TestClient
) -> None:
    assert "No job has completed" in read(operator, HOME)
    until_state(send("ada"), "completed")
    page = read(operator, HOME)
    assert "over the newest 1 that completed; of so few, p95 and p99 say little" in page


def test_the_last_hour_is_drawn_from_the_samples(operator: TestClient) -> None:
    send("ada")
    now = datetime.now(UTC).timestamp()
    for back in range(6):
        samples.take(now - 10 * back)
    html = operator.get(HOME).text
    assert html.count("data-chart=") == 2


def test_without_redis_the_page_says_so_and_nothing_is_acted_on(own_redis: OwnRedis) -> None:
    own_redis.client.flushall()
    with talking_to(own_redis):
        operator = signed_in("operator")
        message_id = send("ada")
        assert "carry:sofa:ada" in read(operator, HOME)
        with own_redis.gone():
            page = read(operator, HOME)
            assert "Redis does not answer" in page
            assert "Shown is what was read" in page  # what is known of the queue itself
            status, told = act(operator, "/admin/jobs/cancel", id=[message_id])
            assert status == 503
            assert "Redis does not answer" in told
        assert entry(message_id).state == "waiting"
