"""Reading the history of jobs from a real Redis, while jobs come, go and run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from history_jobs import PARCELS, Carrier, entry, in_the_table, send, until_state, working
from waiting import wait_until

from pipeline import dispatch
from pipeline.dispatch import send_many
from pipeline.jobs import controls, layout, reading, walking
from pipeline.jobs.entries import Entry, Failure, Progress
from pipeline.jobs.explaining import what_holds
from pipeline.jobs.sending import Send
from pipeline.jobs.walking import Place
from pipeline.jobs.workers import serving, workers
from pipeline.stores import redis_client


@pytest.fixture(autouse=True)
def table(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A queue of parcels beside the real ones; Redis is empty."""
    redis_client().flushdb()
    with in_the_table(monkeypatch):
        yield


def send_parcels(count: int) -> None:
    send_many(Send("carry", (f"user{n:04}", "sofa", "home")) for n in range(count))


def pages(state: str | None, limit: int) -> Iterator[list[Entry]]:
    before: Place | None = None
    while True:
        page = reading.page(None, state, limit=limit, before=before)
        yield page.jobs
        before = page.next
        if before is None:
            return


def ids(entries: list[Entry]) -> list[str]:
    return [one.message_id for one in entries]


def holds(message_id: str) -> set[str]:
    return {reason.kind for reason in what_holds(entry(message_id))}


def test_what_was_never_there_is_not_found() -> None:
    assert reading.get("0123456789abcdef") is None
    assert reading.find("carry:sofa:nobody") == []
    assert reading.page(None, None, limit=10) == reading.Page([], None)
    assert reading.log_lines("0123456789abcdef") == []
    assert reading.children("0123456789abcdef") == []
    assert reading.depth("parcels") == reading.Depth(0, 0, 0, 0, 0.0)


def test_a_waiting_job_is_found_by_both_of_its_ids() -> None:
    message_id = send("ada", tenant_id="acme")
    [found] = reading.find("carry:sofa:ada")
    assert found == entry(message_id) == reading.find(message_id)[0]
    assert (found.job_id, found.job, found.queue, found.state) == (
        *("carry:sofa:ada", "carry"),
        *("parcels", "waiting"),
    )
    assert found.arguments == ("ada", "sofa", "home")
    assert found.scopes == ("tenant:acme", "user:ada", "source:sofa")
    assert found.since == found.enqueued_at
    assert datetime.now(UTC) - timedelta(seconds=5) < found.enqueued_at < datetime.now(UTC)


def test_a_run_leaves_its_history() -> None:
    with working():
        found = until_state(send("ada", note="many"), "completed")
        [child] = reading.children(found.message_id)
    assert (found.attempts, found.deliveries, found.children) == (1, 1, 1)
    assert found.summary == "carried for ada"
    moments = [found.enqueued_at, found.started_at, found.finished_at]
    assert moments == sorted(filter(None, moments))
    assert found.since == found.finished_at
    assert found.wait_ms is not None
    assert found.run_ms is not None
    assert found.worker
    assert (child.parent, child.correlation_id) == (found.message_id, found.correlation_id)
    [line] = reading.log_lines(found.message_id)
    assert (line.text, line.level, line.fields) == ("on the way", "INFO", {"user_id": "ada"})


def test_a_failed_job_tells_why_and_a_retried_one_when_it_is_due() -> None:
    with working():
        torn = until_state(send("ada", note="torn"), "failed")
        again = until_state(send("bob", note="nobody there"), "delayed")
        limited = until_state(send("eve", note="too many"), "delayed")
    assert torn.failure == Failure("Torn", "the parcel is torn", "permanent")
    assert "history_jobs.py" in torn.traceback
    assert again.failure == Failure("OSError")
    for delayed in (again, limited):
        assert delayed.since is None
        assert delayed.due_at is not None
        assert delayed.due_at > datetime.now(UTC) + timedelta(minutes=59)
    assert (again.attempts, again.deferrals) == (1, 0)
    assert (limited.attempts, limited.deferrals) == (0, 1)


def test_earlier_runs_of_a_job_follow_the_one_that_is_alive() -> None:
    with working():
        first = until_state(send("ada"), "completed").message_id
        second = until_state(send("ada", note="torn"), "failed").message_id
    third = send("ada")
    assert ids(reading.find("carry:sofa:ada")) == [third, second, first]
    assert ids(reading.find(second)) == [second]


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_hold_every_job_once_though_hundreds_came_in_the_same_millisecond(limit: int) -> None:
    send_parcels(100 if limit == 1 else 700)
    seen = [one for page in pages("waiting", limit) for one in ids(page)]
    assert len(seen) == len(set(seen)) == reading.depth("parcels").waiting
    waiting = redis_client().zrevrange(layout.of_queue("parcels", "waiting"), 0, -1)
    assert seen == [one.decode() for one in waiting]


def test_a_page_goes_on_where_the_last_one_ended_though_that_job_is_gone() -> None:
    send_parcels(50)
    everything = [one for page in pages("waiting", 100) for one in ids(page)]
    first = reading.page("parcels", "waiting", limit=20)
    for gone in everything[15:25]:
        controls.cancel(gone)
    send("newest")
    second = reading.page("parcels", "waiting", limit=20, before=first.next)
    assert ids(second.jobs) == everything[25:45]


def test_without_a_state_the_latest_comes_first_and_what_is_delayed_last() -> None:
    later, soon = send("later", delay_seconds=600), send("soon", delay_seconds=60)
    with working(carrier := Carrier()):
        done = until_state(send("done"), "completed").message_id
        failed = until_state(send("failed", note="torn"), "failed").message_id
        running = until_state(send("running", note="far"), "running").message_id
        page = reading.page(None, None, limit=10)
        carrier.go_on.set()
    assert ids(page.jobs) == [running, failed, done, soon, later]
    assert [one.state for one in page.jobs] == [
        *("running", "failed", "completed"),
        *("delayed", "delayed"),
    ]
    assert [one for page in pages(None, 2) for one in ids(page)][-2:] == [soon, later]


def test_a_job_that_goes_on_while_it_is_listed_is_shown_without_a_wrong_time() -> None:
    message_id = send("ada", delay_seconds=600)
    places = walking.walk([("parcels", "delayed")], (), 10)
    controls.promote(message_id)
    [found] = reading.load(places)
    assert (found.state, found.since, found.due_at) == ("waiting", None, None)


def test_a_job_whose_hash_is_gone_is_left_out() -> None:
    gone, there = send("gone"), send("there")
    redis_client().delete(layout.job(gone))
    assert ids(reading.page(None, None, limit=10).jobs) == [there]


def test_a_hash_of_strange_values_can_be_listed() -> None:
    message_id = send("ada")
    strange = dict.fromkeys(("enqueued_at", "attempts", "error", "args", "lane"), b"\xff\x00?")
    redis_client().hset(layout.job(message_id), mapping=strange)
    [found] = reading.page(None, None, limit=10).jobs
    assert (found.attempts, found.enqueued_at, found.arguments) == (0, None, None)


def test_the_depth_counts_each_state_and_the_age_of_the_oldest() -> None:
    with working(carrier := Carrier()):
        until_state(send("failed", note="torn"), "failed")
        until_state(send("running", note="far"), "running")
        send("delayed", delay_seconds=60)
        controls.pause("user:waiting", reason="", by="test")
        oldest = send("waiting")
        redis_client().zincrby(layout.of_queue("parcels", "waiting"), -90_000, oldest)
        depth = reading.depths(["parcels", "graph"])["parcels"]
        carrier.go_on.set()
    assert (depth.waiting, depth.running, depth.delayed, depth.failed) == (1, 1, 1, 1)
    assert 90 <= depth.oldest_seconds < 100


def test_a_log_line_that_cannot_be_read_is_shown_as_it_is() -> None:
    lines = ["nonsense\x1b", "[1]", '{"at": "noon"}', '{"at": 1, "level": 2, "text": 3}']
    redis_client().rpush(layout.log("x"), *lines)
    read = reading.log_lines("x")
    assert [line.text for line in read] == ["nonsense\ufffd", "[1]", '{"at": "noon"}', "3"]


def test_a_worker_tells_what_it_serves_and_what_it_has_in_hand() -> None:
    assert workers() == []
    with working(carrier := Carrier()):
        running = until_state(send("ada", note="far"), "running")
        wait_until(lambda: any(one.queues for one in workers()), "the worker has beaten")
        [found] = workers()
        assert found.id == running.worker
        assert (found.queues, found.threads) == (("parcels", "stamps"), 4)
        assert found.running == (running.message_id,)
        assert found.beat_age_seconds < 5
        assert all((found.host, found.pid, found.release))
        assert serving("parcels", [found]) == [found]
        assert serving("graph", [found]) == []
        carrier.go_on.set()


def test_a_worker_that_says_nothing_counts_as_dead() -> None:
    redis_client().zadd(layout.WORKERS, {"gone:1:ab": 1000, "odd:1:cd": 1000})
    redis_client().set(layout.worker("odd:1:cd"), json.dumps({"queues": 7}))
    redis_client().sadd(layout.running("gone:1:ab"), "m1 1")
    gone, odd = workers()
    assert (gone.silent, gone.running, gone.queues) == (True, ("m1",), ())
    assert odd.silent


def test_a_job_that_waits_says_that_nobody_works_on_its_queue() -> None:
    message_id = send("ada")
    assert holds(message_id) == {"no_workers"}


@pytest.mark.parametrize("scope", ["queue:parcels", "user:ada", "tenant:acme", "source:sofa"])
def test_a_job_that_waits_says_what_is_paused(scope: str) -> None:
    controls.pause("user:bob", reason="not this one", by="ada")
    with working():
        wait_until(lambda: serving("parcels", workers()), "a worker is there")
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        controls.pause(scope, reason="deploy", by="ada", until=until)
        [reason] = what_holds(entry(send("ada")))
    assert (reason.kind, reason.until) == ("paused", until)
    assert f"{scope} is paused by ada: deploy" in reason.text


def test_a_job_that_waits_says_that_all_places_are_taken() -> None:
    with working(carrier := Carrier()):
        for number in range(PARCELS.concurrency):
            until_state(send(f"user{number}", note="far"), "running")
        wait_until(lambda: serving("parcels", workers()), "a worker is there")
        assert holds(send("ada")) == {"concurrency"}
        carrier.go_on.set()


def test_a_job_that_waits_says_what_is_ahead_of_it() -> None:
    send("ada")
    second = send("ada", job_id="another")
    assert holds(second) == {"no_workers", "behind_others"}


def test_a_job_that_waits_for_a_limit_says_which_and_until_when() -> None:
    with working():
        until_state(dispatch.send("stamp", "ada", "box").message_id, "completed")
        second = dispatch.send("stamp", "ada", "another box").message_id
        wait_until(lambda: "limit" in holds(second), "the limit is reached")
        wait_until(lambda: serving("stamps", workers()), "a worker is there")
        [reason] = what_holds(entry(second))
    assert "1 starts in 3600 s for each user" in reason.text
    assert reason.until is not None
    assert reason.until > datetime.now(UTC) + timedelta(minutes=50)


def test_a_job_that_waits_for_another_of_its_mailbox_says_so() -> None:
    with working(carrier := Carrier()):
        until_state(dispatch.send("stamp", "wait", "box").message_id, "running")
        second = dispatch.send("stamp", "bob", "box").message_id
        wait_until(lambda: "one_at_a_time" in holds(second), "it is known what it waits for")
        wait_until(lambda: serving("stamps", workers()), "a worker is there")
        [reason] = what_holds(entry(second))
        carrier.go_on.set()
        until_state(second, "completed")
    assert "mailbox:box" in reason.text


def test_a_delayed_job_says_when_it_is_due_and_what_else_holds_it_up() -> None:
    message_id = send("ada", delay_seconds=600)
    controls.pause("user:ada", reason="", by="bob")
    due, paused = what_holds(entry(message_id))
    assert (due.kind, due.text, due.until) == ("due", "scheduled", entry(message_id).due_at)
    assert paused.kind == "paused"


def test_a_running_job_says_how_far_it_is_and_whether_its_worker_lives() -> None:
    with working(carrier := Carrier()):
        message_id = send("ada", note="far")
        wait_until(lambda: entry(message_id).progress, "it tells its progress")
        found = entry(message_id)
        assert found.progress == Progress(0.5, "half way")
        assert what_holds(found) == []
        redis_client().zadd(layout.WORKERS, {found.worker: 1000})
        assert holds(message_id) == {"worker_silent"}
        carrier.go_on.set()
        assert what_holds(until_state(message_id, "completed")) == []
