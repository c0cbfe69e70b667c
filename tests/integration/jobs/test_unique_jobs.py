"""A job id names one job at a time: asking twice is asking once, and an ended one never blocks."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from probes import (
    Hand,
    Probes,
    assert_consistent,
    entry,
    field,
    look,
    members,
    pass_seconds,
    queue,
    send,
    until_idle,
)
from waiting import wait_until

from pipeline.errors import Misconfigured, Permanent, Transient
from pipeline.jobs import controls, layout, recovery
from pipeline.jobs.sending import Send, enqueue
from pipeline.stores import redis_client

QUEUE = queue()


@pytest.fixture
def sync(probes: Probes) -> Probes:
    """A job that nobody runs by itself."""
    probes.add("sync", QUEUE, "user_id")
    return probes


@pytest.mark.parametrize("state", ["waiting", "delayed", "running"])
def test_a_job_that_is_on_its_way_is_returned_in_place_of_another(sync: Probes, state: str) -> None:
    first = send("sync", "alice", delay_seconds=60 if state == "delayed" else 0)
    if state == "running":
        Hand().one(QUEUE)
    assert first.created
    for delay_seconds in (0, 60):
        again = send("sync", "alice", delay_seconds=delay_seconds)
        assert (again.message_id, again.job_id, again.created) == (
            first.message_id,
            "sync:alice",
            False,
        )
    assert members(QUEUE, state) == [first.message_id]
    assert_consistent()


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled", "dead letter"])
def test_a_job_that_has_ended_never_blocks_the_next(sync: Probes, ending: str) -> None:
    first, hand = send("sync", "alice").message_id, Hand()
    if ending == "cancelled":
        controls.cancel(first)
    else:
        error = {"completed": None, "failed": Permanent("no"), "dead letter": Permanent("no")}
        hand.end(hand.one(QUEUE), error[ending])
    if ending == "dead letter":
        redis_client().delete(layout.OUTBOX)  # it is in MongoDB now
    second = send("sync", "alice")
    assert second.created
    assert hand.one(QUEUE).message_id == second.message_id != first
    assert_consistent()


def test_a_job_that_failed_once_and_waits_for_its_next_attempt_is_on_its_way(
    sync: Probes,
) -> None:
    first, hand = send("sync", "alice").message_id, Hand()
    hand.end(hand.one(QUEUE), Transient("no answer"))
    assert not send("sync", "alice").created
    controls.promote(first)
    assert not send("sync", "alice").created
    hand.end(hand.one(QUEUE))
    assert send("sync", "alice").created


def test_jobs_of_other_ids_are_other_jobs(sync: Probes) -> None:
    assert send("sync", "alice").created
    assert send("sync", "bob").created
    assert send("sync", "alice", job_id="sync of alice by hand").created
    assert not send("sync", "carol", job_id="sync of alice by hand").created


def test_one_of_many_threads_creates_the_job_and_all_get_its_message_id(sync: Probes) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> tuple[str, bool]:
        barrier.wait(10)
        sent = send("sync", "alice")
        return sent.message_id, sent.created

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert len({message_id for message_id, _ in answers}) == 1
    assert Counter(created for _, created in answers) == {True: 1, False: 7}


def test_a_batch_knows_its_own_duplicates(sync: Probes) -> None:
    sent = enqueue([Send("sync", (user,)) for user in ("alice", "bob", "alice")])
    assert [one.created for one in sent] == [True, True, False]
    assert sent[2].message_id == sent[0].message_id
    assert len(members(QUEUE, "waiting")) == 2


def test_while_two_workers_run_jobs_that_all_ask_for_no_id_runs_twice_at_once(
    probes: Probes,
) -> None:
    running: Counter[str] = Counter()
    overlaps, runs, stop = [], Counter(), threading.Event()
    lock = threading.Lock()

    def work(user_id: str) -> None:
        with lock:
            running[user_id] += 1
            if running[user_id] > 1:
                overlaps.append(user_id)
            runs[user_id] += 1
        stop.wait(0.002)
        with lock:
            running[user_id] -= 1

    probes.run(work, QUEUE, rerun=True)
    created: Counter[str] = Counter()

    def ask(seed: int) -> None:
        for n in range(150):
            user = f"u{(seed * 7 + n) % 5}"
            if send("work", user).created:
                with lock:
                    created[user] += 1

    with probes.working(), probes.working(), ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(4)))
        until_idle(QUEUE)
    assert overlaps == []
    for user in created:
        # Each asking while it ran is one more run, at most; each that created one is one.
        assert created[user] <= runs[user] <= 150
    assert_consistent()


@pytest.mark.parametrize("times", [1, 5])
def test_a_job_asked_for_while_it_runs_runs_exactly_once_more(probes: Probes, times: int) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    first, hand = send("sync", "alice", tenant_id="acme").message_id, Hand()
    proxy = hand.one(QUEUE)
    for _ in range(times):
        assert not send("sync", "alice", tenant_id="acme").created
    assert entry(first).runs_again
    hand.end(proxy)
    [again] = hand.fetch(QUEUE, 5)
    assert (again.delivery.job_id, again.args) == ("sync:alice", ("alice",))
    told = entry(again.message_id)
    assert told.parent == first
    assert told.correlation_id == entry(first).correlation_id
    assert told.scopes == ("tenant:acme", "user:alice")
    assert_consistent()
    hand.end(again)
    assert hand.fetch(QUEUE, 5) == []
    assert_consistent()


def test_a_job_that_is_not_for_that_does_not_run_again(sync: Probes) -> None:
    send("sync", "alice")
    hand = Hand()
    proxy = hand.one(QUEUE)
    send("sync", "alice")
    hand.end(proxy)
    assert hand.fetch(QUEUE, 5) == []


def test_asking_before_a_job_starts_makes_no_second_run(probes: Probes) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    send("sync", "alice")
    send("sync", "alice")
    hand = Hand()
    hand.end(hand.one(QUEUE))
    assert hand.fetch(QUEUE, 5) == []


def test_asked_for_while_it_runs_its_next_attempt_is_the_run_that_was_asked_for(
    probes: Probes,
) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    message_id, hand = send("sync", "alice").message_id, Hand()
    proxy = hand.one(QUEUE)
    send("sync", "alice")
    hand.end(proxy, Transient("no answer"))
    controls.promote(message_id)
    hand.end(hand.one(QUEUE))
    assert entry(message_id).state == "completed"
    assert hand.fetch(QUEUE, 5) == []


def test_asked_for_while_it_runs_a_job_runs_again_though_it_failed(probes: Probes) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    first, hand = send("sync", "alice").message_id, Hand()
    proxy = hand.one(QUEUE)
    send("sync", "alice")
    hand.end(proxy, Permanent("refused"))
    assert entry(first).state == "failed"
    [again] = hand.fetch(QUEUE, 5)
    assert again.delivery.job_id == "sync:alice"
    assert_consistent()
    hand.end(again)
    assert hand.fetch(QUEUE, 5) == []


def test_a_cancelled_job_does_not_run_again_though_it_was_asked_for(probes: Probes) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    send("sync", "alice")
    hand = Hand()
    proxy = hand.one(QUEUE)
    send("sync", "alice")
    controls.cancel(proxy.message_id)
    hand.end(proxy, Transient("no answer"))
    assert hand.fetch(QUEUE, 5) == []
    assert redis_client().hlen(layout.LIVE) == 0


def test_a_running_job_that_asks_for_itself_later_runs_again_later(probes: Probes) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    send("sync", "alice")
    hand = Hand()
    proxy = hand.one(QUEUE)
    send("sync", "alice", delay_seconds=0.3)
    hand.end(proxy)
    assert hand.fetch(QUEUE, 5) == []
    [again] = members(QUEUE, "delayed")
    assert_consistent()
    assert not send("sync", "alice").created
    pass_seconds(0.3)
    look(QUEUE)
    assert hand.one(QUEUE).message_id == again


def test_asked_for_both_now_and_later_a_running_job_runs_again_now(probes: Probes) -> None:
    probes.add("sync", QUEUE, "user_id", rerun=True)
    send("sync", "alice")
    hand = Hand()
    proxy = hand.one(QUEUE)
    for delay_seconds in (60, 0, 120):
        send("sync", "alice", delay_seconds=delay_seconds)
    hand.end(proxy)
    assert len(hand.fetch(QUEUE, 5)) == 1


def test_a_token_is_sent_once_whatever_became_of_its_job(sync: Probes) -> None:
    hand = Hand()
    first = send("sync", "alice", once="tick 12:00")
    assert first.created
    assert not send("sync", "alice", once="tick 12:00").created
    assert not send("sync", "bob", once="tick 12:00").created
    hand.end(hand.one(QUEUE))
    assert redis_client().get(layout.once("tick 12:00")) == b"completed"
    assert not send("sync", "alice", once="tick 12:00").created
    assert hand.fetch(QUEUE, 5) == []
    assert send("sync", "alice", once="tick 12:01").created


@pytest.mark.parametrize("by", ["its own error", "an operator"])
def test_a_token_tells_that_its_job_failed(sync: Probes, by: str) -> None:
    sent, hand = send("sync", "alice", once="replay 1"), Hand()
    if by == "an operator":
        controls.cancel(sent.message_id)
    else:
        hand.end(hand.one(QUEUE), Permanent("no"))
    assert redis_client().get(layout.once("replay 1")) == b"failed"


def test_a_token_is_used_up_by_a_job_that_was_on_its_way_already(sync: Probes) -> None:
    first, hand = send("sync", "alice"), Hand()
    assert send("sync", "alice", once="tick 12:00").message_id == first.message_id
    hand.end(hand.one(QUEUE))
    assert not send("sync", "alice", once="tick 12:00").created


def test_a_token_may_be_used_again_after_its_time(sync: Probes) -> None:
    send("sync", "alice", once="tick", once_seconds=0.2)
    hand = Hand()
    hand.end(hand.one(QUEUE))
    pass_seconds(0.25)
    assert send("sync", "alice", once="tick").created


def test_racing_schedulers_send_a_tick_once(sync: Probes) -> None:
    barrier = threading.Barrier(6)

    def tick(number: int) -> bool:
        barrier.wait(10)
        return send("sync", f"user {number}", once="tick 12:00").created

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(tick, range(6))) == 1
    assert len(members(QUEUE, "waiting")) == 1


@pytest.mark.parametrize(
    ("wrong", "raises"),
    [
        (Send("synk", ("alice",)), Misconfigured),
        (Send("sync"), Permanent),
        (Send("sync", ("alice", "bob")), Permanent),
        (Send("sync", ({"name": "alice"},)), Permanent),
        (Send("sync", (b"alice",)), Permanent),
        (Send("sync", (object(),)), Permanent),
        (Send("sync", (float("nan"),)), Permanent),
        (Send("sync", ("x" * 70_000,)), Permanent),
        (Send("sync", ("alice\nuser:bob",)), Permanent),
        (Send("sync", ("\ud83d",)), Permanent),
        (Send("sync", ("alice",), tenant_id="a\nb"), Permanent),
        (Send("sync", ("alice",), job_id="a\x00b"), Permanent),
        (Send("sync", ("alice",), once="tick \ud83d"), Permanent),
        (Send("sync", ("alice",), correlation_id="\ud83d"), Permanent),
        (Send("sync", ("alice",), delay_seconds=float("inf")), Permanent),
        (Send("sync", ("alice",), delay_seconds=float("nan")), Permanent),
        (Send("sync", ("alice",), options={"a": object()}), Permanent),
    ],
    ids=lambda value: "" if isinstance(value, Send) else value.__name__,
)
def test_of_a_batch_with_one_wrong_job_nothing_is_enqueued(
    sync: Probes, wrong: Send, raises: type[Exception]
) -> None:
    with pytest.raises(raises):
        enqueue([Send("sync", ("carol",)), wrong, Send("sync", ("dave",))])
    assert redis_client().dbsize() == 0


def test_a_token_may_be_short_lived_without_breaking_its_batch(sync: Probes) -> None:
    sent = enqueue([Send("sync", ("a",)), Send("sync", ("b",), once="t", once_seconds=0.0001)])
    assert [one.created for one in sent] == [True, True]


def test_a_sender_that_is_killed_leaves_all_of_a_batch_or_nothing(sync: Probes) -> None:
    """The batch is one script: Redis runs it whole, whoever still listens."""
    sends = [Send("sync", (f"u{n}",)) for n in range(500)]
    sender = threading.Thread(target=enqueue, args=(sends,), daemon=True)
    sender.start()
    redis_client().client_kill_filter(_type="normal", skipme=True)
    sender.join(10)
    wait_until(lambda: not sender.is_alive(), "the sender has got through")
    assert redis_client().hlen(layout.LIVE) == len(members(QUEUE, "waiting")) == 500
    assert_consistent()


def test_a_sender_whose_answer_was_lost_says_it_again_without_harm(sync: Probes) -> None:
    sends, ids = [Send("sync", ("alice",))], ["0123456789abcdef"]
    first, second = enqueue(sends, ids), enqueue(sends, ids)
    assert first == second
    assert first[0].created
    assert members(QUEUE, "waiting") == ids


def test_a_job_whose_worker_died_is_on_its_way(sync: Probes) -> None:
    first = send("sync", "alice")
    Hand("dead").one(QUEUE)
    assert not send("sync", "alice").created
    redis_client().zadd(layout.WORKERS, {"dead": 0})
    recovery.sweep()
    assert not send("sync", "alice").created
    assert Hand().one(QUEUE).message_id == first.message_id


def test_a_job_whose_hash_somebody_deleted_blocks_nobody(sync: Probes) -> None:
    first, hand = send("sync", "alice"), Hand()
    redis_client().delete(layout.job(first.message_id))
    second = send("sync", "alice")
    assert second.created
    assert [proxy.message_id for proxy in hand.fetch(QUEUE, 2)] == [second.message_id]
    assert field(first.message_id, "state") == ""
    assert_consistent()
