"""What history tells of attempts after which a job went on, and of how many jobs ever ended."""

from __future__ import annotations

import pytest
from probes import PROBE, Hand, Probes, entry, now_ms, send

from pipeline.errors import HeadraceError, Permanent, RateLimited, Transient
from pipeline.jobs import controls, layout, reading, scripts
from pipeline.jobs.delivery import JobProxy
from pipeline.stores import redis_client

KILLED = '{"class": "KilledWorker"}'


@pytest.fixture(autouse=True)
def job(probes: Probes) -> None:
    """A job with three attempts."""
    probes.add("fetch", PROBE, "user_id")


def begun(hand: Hand) -> JobProxy:
    """Return the next job, which has begun."""
    proxy = hand.one(PROBE)
    proxy.started_at_ms, proxy.run_ms = now_ms(), 12
    return proxy


def raised(error: HeadraceError) -> HeadraceError:
    """Return an error with a traceback."""
    try:
        raise error
    except HeadraceError as caught:
        return caught


def test_each_attempt_is_told_with_its_worker_and_error() -> None:
    sent = send("fetch", "ada")
    for name in ("first", "second"):
        hand = Hand(name)
        hand.end(begun(hand), raised(Transient(f"{name} was down")))
        controls.promote(sent.message_id)
    hand = Hand("third")
    hand.end(begun(hand))
    run = entry(sent.message_id)
    assert run.state == "completed"
    assert [(one.number, one.worker, one.run_ms) for one in run.past] == [
        (1, "first", 12),
        (2, "second", 12),
    ]
    for one, name in zip(run.past, ("first", "second"), strict=True):
        assert one.failure is not None
        assert (one.failure.error, one.failure.message) == ("Transient", f"{name} was down")
        assert "in raised" in one.traceback
        assert one.counted
        assert one.started_at is not None


def test_what_was_put_off_often_does_not_push_out_what_failed() -> None:
    sent = send("fetch", "ada")
    hand = Hand()
    hand.end(begun(hand), raised(Transient("down")))
    for _ in range(30):
        controls.promote(sent.message_id)
        hand.end(begun(hand), RateLimited("ten a day", retry_after_seconds=60))
    past = entry(sent.message_id).past
    assert len(past) == 20
    assert past[0].counted
    assert not any(one.counted for one in past[1:])
    assert past[1].why == "rate limit (user)"


def test_an_attempt_under_which_the_worker_died_is_told() -> None:
    sent = send("fetch", "ada")
    Hand("unlucky").one(PROBE)
    scripts.run("recover", -1, 3, KILLED)
    [died] = entry(sent.message_id).past
    assert (died.number, died.worker, died.died, died.counted) == (1, "unlucky", True, False)
    assert died.run_ms is None


def test_what_lies_there_in_place_of_attempts_does_no_harm() -> None:
    sent = send("fetch", "ada")
    redis_client().hset(layout.job(sent.message_id), "past", "not JSON")
    hand = Hand()
    hand.end(begun(hand), raised(Transient("down")))
    assert len(entry(sent.message_id).past) == 1


def test_the_last_attempt_is_no_past_one() -> None:
    sent = send("fetch", "ada")
    hand = Hand()
    hand.end(begun(hand), raised(Permanent("no")))
    assert entry(sent.message_id).past == ()


def test_jobs_that_ended_are_counted_for_ever() -> None:
    hand = Hand()
    for user in ("ada", "bob", "cem"):
        send("fetch", user)
    hand.end(begun(hand))
    hand.end(begun(hand), raised(Permanent("no")))
    controls.cancel(hand_over := send("fetch", "dan").message_id)
    depth = reading.depth("probe")
    assert entry(hand_over).state == "failed"
    assert (depth.completed_total, depth.failed_total, depth.completed) == (1, 2, 1)
