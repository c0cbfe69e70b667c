"""Dead letters: none is lost or counted twice, and replaying one does its work once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from environments import environment
from letter_jobs import (
    QUEUE,
    Deliveries,
    die,
    letters_of,
    only_these_jobs,
    send,
    working,
)
from waiting import wait_until

from models import DeadLetter
from pipeline import dead_letters, queues
from pipeline.dead_letters import Progress, Wanted, transitions
from pipeline.dead_letters.drain import count
from pipeline.dead_letters.runs import begin, outcomes, settle
from pipeline.dead_letters.stages import Report, stages
from pipeline.errors import Permanent
from pipeline.jobs import controls, layout
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import Job
from pipeline.stores import Row, collection, mongodb, redis_client


@pytest.fixture
def idle(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliveries]:
    """The jobs of these tests, and no worker."""
    with only_these_jobs(monkeypatch):
        yield Deliveries()


@pytest.fixture
def deliveries(idle: Deliveries) -> Iterator[Deliveries]:
    """The same with a worker."""
    with working(idle):
        yield idle


def letter(letter_id: str) -> Row:
    found = collection(DeadLetter).find_one({"_id": letter_id})
    assert found is not None
    return found


def only_letter() -> Row:
    [found] = collection(DeadLetter).find()
    return found


def statuses() -> dict[str, int]:
    rows = collection(DeadLetter).aggregate([{"$sortByCount": "$status"}])
    return {row["_id"]: row["count"] for row in rows}


def outbox() -> int:
    return int(redis_client().llen(layout.OUTBOX))


def users(count: int) -> list[str]:
    return [f"user{number:03}" for number in range(count)]


@contextmanager
def replaying_process() -> Iterator[subprocess.Popen[bytes]]:
    """Replay everything in a process of its own."""
    program = (
        "import pytest\n"
        "from letter_jobs import only_these_jobs\n"
        "from pipeline import dead_letters\n"
        "with only_these_jobs(pytest.MonkeyPatch()):\n"
        "    list(dead_letters.replay(dead_letters.Wanted(), 'ada'))"
    )
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here, here.parents[1], here.parents[2])))
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env={**environment(), "PYTHONPATH": path}) as process:
        try:
            yield process
        finally:
            process.kill()


def replayed(**options: Any) -> Report:
    """Replay the only group that there is."""
    [report] = dead_letters.replay(Wanted(), "ada", **{"patience_seconds": 20, **options})
    return report


# Draining


def test_a_letter_tells_what_failed_where_and_for_whom(deliveries: Deliveries) -> None:
    [message_id] = letters_of(deliveries, "alice")
    found = only_letter()
    expected = {
        "_id": message_id,
        "message_id": message_id,
        "job_id": "deliver:alice",
        "job": "deliver",
        "queue": "letters",
        "tenant_id": "acme",
        "user_id": "alice",
        "args": b'["alice"]',
        "status": "open",
        "reason": "permanent",
        "error": {"class": "Bad", "message": "nobody opens at number 5"},
        "times": 1,
        "attempts": 1,
        "deaths": 0,
    }
    assert {name: found[name] for name in expected} == expected
    assert "in deliver" in found["traceback"]
    assert "on the way user_id=alice" in [line["text"] for line in found["log"]]
    assert found["first_seen_at"] == found["last_seen_at"]
    assert all(found[name] for name in ("fingerprint", "release", "worker", "correlation_id"))
    assert outbox() == 0


def test_a_job_that_dies_again_adds_to_its_open_letter(deliveries: Deliveries) -> None:
    first, second = letters_of(deliveries, "alice") + letters_of(deliveries, "alice")
    found = only_letter()
    assert (found["_id"], found["message_id"], found["times"]) == (first, second, 2)
    assert found["first_seen_at"] < found["last_seen_at"]


def test_a_job_that_dies_after_its_letter_was_dismissed_gets_a_new_one(
    deliveries: Deliveries,
) -> None:
    letters_of(deliveries, "alice")
    dead_letters.dismiss({}, "ada", "left")
    [second] = letters_of(deliveries, "alice")
    assert letter(second)["times"] == 1
    assert statuses() == {"open": 1, "dismissed": 1}


def test_a_death_written_by_a_process_that_was_killed_then_counts_once(
    deliveries: Deliveries,
) -> None:
    message_ids = die(deliveries, "alice", "bob")
    count(message_ids[:1])  # and killed before it left the outbox
    assert dead_letters.drain() == 2
    assert statuses() == {"open": 2}
    count(message_ids)
    dead_letters.dismiss({}, "ada", "left")
    count(message_ids)
    assert statuses() == {"dismissed": 2}
    assert collection(DeadLetter).distinct("times") == [1]


def test_many_processes_that_drain_at_once_count_each_death_once(
    deliveries: Deliveries,
) -> None:
    names = users(15)
    for _ in range(4):
        die(deliveries, *names)
    with ThreadPoolExecutor(8) as pool:
        drains = [pool.submit(dead_letters.drain, 10) for _ in range(60)]
        for one in drains:
            one.result()
    while outbox():  # those that two wrote at the same moment
        dead_letters.drain()
    assert collection(DeadLetter).count_documents({"status": "open", "times": 4}) == 15
    assert collection(DeadLetter).count_documents({}) == 15


def test_deaths_that_come_out_of_order_leave_the_newest_error(deliveries: Deliveries) -> None:
    older, newer = die(deliveries, "alice") + die(deliveries, "alice")
    redis_client().hset(
        layout.job(newer), "error", '{"class": "Newer", "message": "", "reason": ""}'
    )
    count([newer])
    count([older])
    found = letter(newer)
    assert (found["error"]["class"], found["message_id"], found["times"]) == ("Newer", newer, 2)
    assert found["first_seen_at"] < found["last_seen_at"]


def test_while_mongodb_takes_nothing_jobs_stay_in_redis_with_their_history(
    deliveries: Deliveries,
) -> None:
    collection(DeadLetter).insert_one({"_id": "x", "job_id": "x", "status": "dismissed"})
    name = collection(DeadLetter).name
    mongodb().command("collMod", name, validator={"never": {"$exists": True}})
    try:
        message_ids = die(deliveries, *users(QUEUE.keep_failed.count + 20))
        assert dead_letters.drain() == 0
        assert outbox() == len(message_ids)
        assert all(redis_client().exists(layout.job(one)) for one in message_ids)
    finally:
        mongodb().command("collMod", name, validator={})
    assert dead_letters.drain() == len(message_ids)
    assert statuses()["open"] == len(message_ids)


def test_a_job_whose_history_is_gone_does_not_hold_up_the_others(
    deliveries: Deliveries,
) -> None:
    gone, _ = die(deliveries, "alice", "bob")
    redis_client().delete(layout.job(gone))
    assert dead_letters.drain() == 2
    assert only_letter()["job_id"] == "deliver:bob"
    assert outbox() == 0


# Looking


def test_letters_of_one_cause_are_one_group(deliveries: Deliveries) -> None:
    letters_of(deliveries, "alice", "bob", tenant_id="acme")
    letters_of(deliveries, "carol", "dave", "eve", tenant_id="umbrella")
    letters_of(deliveries, "carol", tenant_id="umbrella")
    enqueue([Send("wrap", ("alice", "red"))])
    wait_until(lambda: outbox() == 1 and dead_letters.drain() == 1, "the other job dies")
    other, main = dead_letters.groups(Wanted())
    assert (main.letters, main.times, main.tenants, main.users) == (5, 6, 2, 5)
    assert main.first_seen_at < main.last_seen_at
    assert main.sample["job_id"] == "deliver:carol"
    assert main.releases == (main.sample["release"],)
    assert (other.letters, other.tenants, other.sample["job"]) == (1, 0, "wrap")
    assert dead_letters.open_by_queue() == {"letters": 5, "indexing": 1}


def test_lists_are_read_a_page_at_a_time_and_filtered(deliveries: Deliveries) -> None:
    letters_of(deliveries, *users(7), tenant_id="acme")
    letters_of(deliveries, "carol", tenant_id="umbrella")
    found: list[str] = []
    after = None
    while page := dead_letters.letters(Wanted(tenant_id="acme"), 3, after=after):
        found += [row["user_id"] for row in page]
        after = dead_letters.Place.parsed(
            str(dead_letters.Place(page[-1]["last_seen_at"], page[-1]["_id"]))
        )
    assert sorted(found) == users(7)
    [group] = dead_letters.groups(Wanted())
    assert dead_letters.groups(Wanted(), after=group.place) == []
    by_group = Wanted(fingerprint=group.fingerprint, queue="letters", job="deliver")
    assert len(dead_letters.letters(by_group)) == 8
    assert dead_letters.letters(Wanted("dismissed")) == []


def test_a_letter_is_found_by_any_of_its_message_ids_and_by_its_open_job(
    deliveries: Deliveries,
) -> None:
    first, second = letters_of(deliveries, "alice") + letters_of(deliveries, "alice")
    for name in (first, second, "deliver:alice"):
        found = dead_letters.find(name)
        assert found is not None
        assert found["_id"] == first
    dead_letters.dismiss({}, "ada", "left")
    assert dead_letters.find("deliver:alice") is None


QUERIES: list[Row] = [
    Wanted().query(),
    Wanted(queue="graph").query(),
    Wanted(fingerprint="f").query(),
    Wanted(job="sync").query(),
    Wanted(tenant_id="acme").query(),
    Wanted().query() | dead_letters.Place(datetime(2026, 1, 1, tzinfo=UTC), "x").query(),
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_list_comes_out_of_an_index_in_order(stores: None, query: Row) -> None:
    cursor = collection(DeadLetter).find(query).sort([("last_seen_at", -1), ("_id", -1)])
    plan = str(cursor.explain()["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "'SORT'" not in plan


# Replaying


def test_a_replayed_letter_does_its_work_and_is_settled(deliveries: Deliveries) -> None:
    [name] = letters_of(deliveries, "alice")
    deliveries.failing.clear()
    report = dead_letters.replay_one(letter(name), "ada", patience_seconds=20)
    assert (report.completed, report.failed, report.stopped) == (1, 0, "")
    found = letter(name)
    assert (found["status"], found["acted_by"], found["replays"]) == ("replayed", "ada", 1)
    assert found["expires_at"] - found["acted_at"] > timedelta(days=89)
    assert deliveries.done == {"alice": 1}
    with pytest.raises(Permanent, match="is replayed"):
        dead_letters.replay_one(found, "ada")


def test_a_replay_that_fails_again_opens_the_letter_with_its_new_error(
    deliveries: Deliveries,
) -> None:
    [name] = letters_of(deliveries, "alice")
    report = dead_letters.replay_one(letter(name), "ada", patience_seconds=20)
    assert report.failures == {name: "Bad: nobody opens at number 5"}
    dead_letters.drain()
    found = only_letter()
    assert (found["status"], found["times"], found["replays"]) == ("open", 2, 1)
    assert found["message_id"] != name
    assert "replay_token" not in found


def test_a_group_of_which_some_still_fail_stops_at_the_canary(deliveries: Deliveries) -> None:
    names = letters_of(deliveries, *users(40))
    user_of = {row["_id"]: row["user_id"] for row in collection(DeadLetter).find()}
    order = [user_of[name] for stage in stages(names) for name in stage.letter_ids]
    deliveries.failing = set(order[3::10] + order[5::10] + order[8::10])
    assert len(deliveries.failing) == 12  # 30 % still fail
    seen: list[Progress] = []
    report = replayed(watch=seen.append)
    assert [stage.name for stage in report.stages] == ["canary of 1", "canary of 10"]
    assert (report.completed, report.failed, report.left) == (8, 3, 29)
    assert report.stopped == "3 of 10 failed again (canary of 10)"
    assert statuses() == {"open": 32, "replayed": 8}
    assert sum(deliveries.done.values()) == 8
    assert (seen[-1].ended, seen[-1].letters, seen[-1].failed) == (10, 10, 3)


def test_a_group_whose_cause_is_gone_is_replayed_to_the_last_letter(
    deliveries: Deliveries,
) -> None:
    letters_of(deliveries, *users(130))
    deliveries.failing.clear()
    report = replayed()
    assert [stage.letters for stage in report.stages] == [1, 10, 100, 19]
    assert (report.completed, report.left, report.stopped) == (130, 0, "")
    assert statuses() == {"replayed": 130}
    assert deliveries.done == dict.fromkeys(users(130), 1)


def test_the_rest_stops_after_a_batch_of_which_too_many_fail(deliveries: Deliveries) -> None:
    names = letters_of(deliveries, *users(120))
    user_of = {row["_id"]: row["user_id"] for row in collection(DeadLetter).find()}
    *_, batch, _ = stages(names)
    deliveries.failing = {user_of[name] for name in batch.letter_ids[:11]}
    report = replayed()
    assert report.stopped == "11 of 100 of the rest failed again, more than 10%"
    assert (report.completed, report.left) == (100, 9)


def test_each_group_has_a_canary_of_its_own(deliveries: Deliveries) -> None:
    letters_of(deliveries, "alice")
    enqueue([Send("wrap", ("bob", "red"))])
    deliveries.failing.add("bob")
    wait_until(lambda: dead_letters.drain() == 1, "the other job dies")
    deliveries.failing.remove("alice")
    reports = list(dead_letters.replay(Wanted(), "ada", patience_seconds=20))
    assert sorted(bool(report.stopped) for report in reports) == [False, True]
    assert statuses() == {"replayed": 1, "open": 1}


def test_two_operators_who_replay_the_same_letters_do_the_work_once(
    deliveries: Deliveries,
) -> None:
    letters_of(deliveries, *users(40))
    deliveries.failing.clear()
    with ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(lambda name: list(dead_letters.replay(Wanted(), name)), name)
            for name in ("ada", "bob", "cleo")
        ]
        for run in runs:
            run.result()
    while statuses() != {"replayed": 40}:  # who met the others stopped, and tries again
        assert list(dead_letters.replay(Wanted(), "ada", patience_seconds=20))
    assert deliveries.done == dict.fromkeys(users(40), 1)


def test_a_replay_killed_before_it_sent_the_job_is_carried_on(deliveries: Deliveries) -> None:
    [name] = letters_of(deliveries, "alice")
    deliveries.failing.clear()
    assert transitions.claim(name, "ada")
    assert transitions.claim(name, "bob") is None
    assert replayed().stages[0].name == "interrupted replay"
    assert statuses() == {"replayed": 1}
    assert deliveries.done == {"alice": 1}


def test_a_replay_killed_after_the_job_was_sent_is_carried_on(deliveries: Deliveries) -> None:
    [name] = letters_of(deliveries, "alice")
    deliveries.failing.clear()
    begin([letter(name)], "ada")
    wait_until(lambda: deliveries.done["alice"] == 1, "the job runs")
    redis_client().delete(*redis_client().keys(f"{layout.PREFIX}job:*"))  # history forgets it
    wait_until(lambda: replayed().completed == 1, "the letter is settled")
    assert statuses() == {"replayed": 1}
    assert deliveries.done == {"alice": 1}


def test_a_command_that_is_killed_again_and_again_does_the_work_once(
    deliveries: Deliveries,
) -> None:
    letters_of(deliveries, *users(60))
    deliveries.failing.clear()
    for least in (1, 5, 12):
        with replaying_process() as process:
            wait_until(lambda least=least: len(deliveries.done) >= least, "letters are replayed")
            process.kill()
    while statuses() != {"replayed": 60}:
        replayed()
    assert deliveries.done == dict.fromkeys(users(60), 1)


def test_a_replay_that_failed_unseen_opens_the_letter_by_itself(deliveries: Deliveries) -> None:
    [name] = letters_of(deliveries, "alice")
    begin([letter(name)], "ada")
    wait_until(lambda: outbox() == 1, "the job dies again")
    assert dead_letters.drain() == 1
    assert (letter(name)["status"], letter(name)["times"]) == ("open", 2)


def test_a_death_from_before_the_replay_does_not_end_it(deliveries: Deliveries) -> None:
    [name] = letters_of(deliveries, "alice")
    die(deliveries, "alice")  # MongoDB was away when it died
    assert transitions.claim(name, "ada")
    assert dead_letters.drain() == 1
    assert (letter(name)["status"], letter(name)["times"]) == ("replaying", 2)


def test_a_job_that_waits_already_counts_as_the_replay(
    idle: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(idle):
        [name] = letters_of(idle, "alice")
    idle.failing.clear()
    [live] = send("alice")
    [run] = begin([letter(name)], "ada")
    assert run.message_id == live == letter(name)["replay_message_id"]
    with working(idle):
        assert replayed().completed == 1
    assert idle.done == {"alice": 1}


def test_without_workers_a_replay_gives_up_in_time_and_is_carried_on_later(
    idle: Deliveries,
) -> None:
    with working(idle):
        letters_of(idle, "alice", "bob")
    idle.failing.clear()
    report = replayed(patience_seconds=0.1)
    assert (report.stages[0].unanswered, report.left) == (1, 1)
    assert "no outcome in time" in report.stopped
    with working(idle):
        report = replayed()
    assert [stage.name for stage in report.stages] == ["interrupted replay", "canary of 1"]
    assert idle.done == {"alice": 1, "bob": 1}


def test_a_replay_of_which_redis_lost_all_traces_opens_the_letter(
    idle: Deliveries,
) -> None:
    with working(idle):
        [name] = letters_of(idle, "alice")
    [run] = begin([letter(name)], "ada")
    redis_client().flushdb()
    assert outcomes([run]) == {run: "lost"}
    settle(run, "lost")
    assert statuses() == {"open": 1}


def test_a_cancelled_replay_leaves_the_letter_as_it_was(idle: Deliveries) -> None:
    with working(idle):
        [name] = letters_of(idle, "alice")
    before = letter(name)
    [run] = begin([before], "ada")
    controls.cancel(run.message_id)
    assert replayed().failed == 1
    after = letter(name)
    assert (after["status"], after["error"], after["times"]) == ("open", before["error"], 1)


# What cannot be replayed


def test_a_message_that_cannot_be_decoded_is_kept_with_its_bytes_and_can_only_be_dismissed(
    idle: Deliveries,
) -> None:
    [message_id] = send("alice")
    redis_client().hset(layout.job(message_id), "args", b'["\xff')
    with working(idle):
        wait_until(lambda: dead_letters.drain() == 1, "the message is set aside")
        found = only_letter()
        assert (found["reason"], found["args"]) == ("undecodable", b'["\xff')
        with pytest.raises(Permanent, match="only dismissed: its message cannot be decoded"):
            dead_letters.replay_one(found, "ada")
        report = replayed()
    assert report.refused == {message_id: "its message cannot be decoded"}
    assert report.stages == []
    assert dead_letters.dismiss({"_id": message_id}, "ada", "of an older release") == 1
    dismissed = only_letter()
    assert (dismissed["dismiss_reason"], dismissed["acted_by"]) == ("of an older release", "ada")


@pytest.mark.parametrize(
    ("now", "why"),
    [([], "there is no job 'deliver'"), ([Job("deliver", QUEUE, ("a", "b"))], "takes 2 arguments")],
)
def test_a_job_that_this_release_does_not_have_can_only_be_dismissed(
    idle: Deliveries, monkeypatch: pytest.MonkeyPatch, now: list[Job], why: str
) -> None:
    with working(idle):
        [name] = letters_of(idle, "alice")
    with monkeypatch.context() as patch:
        patch.delitem(queues.JOBS, "deliver")
        queues.JOBS.update((job.name, job) for job in now)
        with pytest.raises(Permanent, match=f"only dismissed: .*{why}"):
            dead_letters.replay_one(letter(name), "ada")
    assert letter(name)["status"] == "open"


def test_a_letter_goes_some_time_after_somebody_acted_and_never_before(
    idle: Deliveries, setting: Any
) -> None:
    with working(idle):
        first, second = letters_of(idle, "alice", "bob")
    setting(DEAD_LETTER_RETENTION_DAYS=2)
    dead_letters.dismiss({"_id": first}, "ada", "left")
    kept = letter(first)["expires_at"] - letter(first)["acted_at"]
    assert timedelta(days=1.9) < kept < timedelta(days=2.1)
    assert "expires_at" not in letter(second)
    indexes = collection(DeadLetter).index_information().values()
    assert any(
        index["key"] == [("expires_at", 1)] and index["expireAfterSeconds"] == 0
        for index in indexes
    )
