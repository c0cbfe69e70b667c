"""What comes next after an attempt, by the class of its error (design §6)."""

from __future__ import annotations

import math
import secrets
from datetime import UTC, datetime

import pytest
from dramatiq.middleware import Shutdown, SkipMessage
from probes import (
    Hand,
    Probes,
    assert_consistent,
    entry,
    field,
    look,
    now_ms,
    pass_seconds,
    queue,
    send,
    until_idle,
)
from prometheus_client import REGISTRY
from waiting import wait_until

from pipeline.errors import (
    CursorExpired,
    Gone,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
    Unfinished,
)
from pipeline.jobs import controls, layout, reading
from pipeline.jobs.entries import Entry, Failure
from pipeline.stores import redis_client

QUEUE = queue(backoff_ms=60_000)


def attempt(probes: Probes, error: BaseException | None) -> Entry:
    """Have a worker make one attempt that ends with `error`; return what history says then."""

    def sync(user_id: str, source: str) -> None:
        if error:
            raise error

    probes.run(sync, QUEUE)
    message_id = send("sync", "alice", "google_gmail").message_id
    with probes.working(threads=1):
        wait_until(
            lambda: field(message_id, "run_ms") and field(message_id, "state") != "running",
            "the attempt has ended",
        )
    assert_consistent()
    return entry(message_id)


def outbox() -> list[str]:
    """Return the message ids of jobs that will be dead letters."""
    return [message_id.decode() for message_id in redis_client().lrange(layout.OUTBOX, 0, -1)]


def test_a_job_that_returns_is_completed(probes: Probes) -> None:
    told = attempt(probes, None)
    assert (told.state, told.attempts, told.failure, outbox()) == ("completed", 1, None, [])


@pytest.mark.parametrize(
    "error",
    [
        Transient("MongoDB does not answer"),
        CursorExpired("the sync token is gone"),
        OSError("no route to host"),
        KeyError("alice"),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_tried_again(probes: Probes, error: BaseException) -> None:
    told = attempt(probes, error)
    assert (told.state, told.attempts, told.deferrals) == ("delayed", 1, 0)
    assert told.why == "attempt 1 of 3 failed"
    assert told.failure is not None
    assert (told.failure.error, told.failure.reason) == (type(error).__name__, "")
    assert outbox() == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Permanent("the address has no host"), "permanent"),
        (Misconfigured("GOOGLE_CLIENT_SECRET is wrong"), "misconfigured"),
    ],
)
def test_what_cannot_pass_is_a_dead_letter_at_once(
    probes: Probes, error: Exception, reason: str
) -> None:
    told = attempt(probes, error)
    assert (told.state, told.attempts) == ("failed", 1)
    assert told.failure == Failure(type(error).__name__, str(error), reason)
    assert outbox() == [told.message_id]


def test_a_grant_that_needs_its_user_is_no_dead_letter(probes: Probes) -> None:
    told = attempt(probes, ReauthRequired("the grant is revoked"))
    assert told.state == "failed"
    assert told.failure == Failure("ReauthRequired", "the grant is revoked", "needs_reauth")
    assert outbox() == []


@pytest.mark.parametrize("error", [LeaseLost("another run took over"), Gone("no such calendar")])
def test_work_that_is_done_otherwise_or_gone_is_completed(probes: Probes, error: Exception) -> None:
    told = attempt(probes, error)
    assert (told.state, told.failure, told.summary) == ("completed", None, str(error))


@pytest.mark.parametrize("scope", ["user", "project", "day"])
def test_a_rate_limit_defers_until_it_says_and_costs_no_attempt(probes: Probes, scope: str) -> None:
    before = now_ms()
    told = attempt(probes, RateLimited("the quota", retry_after_seconds=600, scope=scope))
    assert (told.state, told.attempts, told.deferrals) == ("delayed", 0, 1)
    assert told.why == f"rate limit ({scope})"
    assert told.due_at is not None
    assert 0 <= told.due_at.timestamp() * 1000 - before - 600_000 < 20_000
    deferred = {"queue": "probe", "reason": told.why}
    assert REGISTRY.get_sample_value("headrace_job_deferrals_total", deferred)
    hit = {"queue": "probe", "scope": scope}
    assert REGISTRY.get_sample_value("headrace_rate_limit_hits_total", hit)


def test_a_rate_limit_of_one_user_holds_up_nobody_else(probes: Probes) -> None:
    attempt(probes, RateLimited("the quota", retry_after_seconds=600))
    assert controls.pauses() == []


@pytest.mark.parametrize("scope", ["project", "day"])
def test_a_rate_limit_of_all_users_pauses_the_source_until_then(probes: Probes, scope: str) -> None:
    begin = datetime.now(UTC)
    attempt(probes, RateLimited("the quota", retry_after_seconds=600, scope=scope))
    [pause] = controls.pauses()
    assert (pause.scope, pause.by) == ("source:google_gmail", "quota")
    assert scope in pause.reason
    assert pause.until is not None
    assert 600 <= (pause.until - begin).total_seconds() < 620
    send("sync", "bob", "google_gmail")
    other = send("sync", "bob", "google_tasks").message_id
    assert [proxy.message_id for proxy in Hand().fetch(QUEUE, 5)] == [other]


def test_a_deferred_job_has_all_its_attempts_left(probes: Probes) -> None:
    probes.add("sync", QUEUE)
    hand, message_id = Hand(), send("sync").message_id
    for _ in range(3):
        hand.end(hand.one(QUEUE), RateLimited("the quota", retry_after_seconds=60))
        controls.promote(message_id)
    for attempts in (1, 2, 3):
        proxy = hand.one(QUEUE)
        assert proxy.delivery.attempt == attempts
        hand.end(proxy, OSError())
        controls.promote(message_id)
    told = entry(message_id)
    assert (told.state, told.attempts, told.deferrals, told.deliveries) == ("failed", 3, 3, 6)


def test_an_unfinished_job_goes_on_behind_the_others(probes: Probes) -> None:
    probes.add("sync", QUEUE, "number")
    first, second = send("sync", 1).message_id, send("sync", 2).message_id
    hand = Hand()
    hand.end(hand.one(QUEUE), Unfinished())
    told = entry(first)
    assert (told.state, told.attempts, told.deferrals) == ("waiting", 0, 0)
    assert [proxy.message_id for proxy in hand.fetch(QUEUE, 2)] == [second, first]


def test_an_unfinished_job_may_say_when_it_goes_on(probes: Probes) -> None:
    probes.add("sync", QUEUE)
    hand, message_id = Hand(), send("sync").message_id
    hand.end(hand.one(QUEUE), Unfinished(delay_seconds=0.2))
    assert (entry(message_id).state, entry(message_id).attempts) == ("delayed", 0)
    assert hand.fetch(QUEUE) == []
    pass_seconds(0.2)
    assert look(QUEUE) == [True]
    assert hand.one(QUEUE).message_id == message_id


@pytest.mark.parametrize("seconds", [math.inf, math.nan, 1e300, 90_000])
def test_no_rate_limit_defers_for_more_than_a_day(probes: Probes, seconds: float) -> None:
    told = attempt(probes, RateLimited("the quota", retry_after_seconds=seconds, scope="day"))
    assert (told.state, told.attempts, told.deferrals) == ("delayed", 0, 1)
    [pause] = controls.pauses()
    for until in (told.due_at, pause.until):
        assert until is not None
        assert 86_380 < (until - datetime.now(UTC)).total_seconds() <= 86_400


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_rate_limit_that_is_over_already_defers_for_a_moment(
    probes: Probes, seconds: float
) -> None:
    probes.add("sync", QUEUE)
    hand, message_id = Hand(), send("sync").message_id
    hand.end(hand.one(QUEUE), RateLimited("the quota", retry_after_seconds=seconds))
    assert entry(message_id).deferrals == 1
    pass_seconds(0.01)
    assert look(QUEUE) == [True]


def test_an_attempt_of_which_nobody_can_say_how_it_ended_is_a_dead_letter(probes: Probes) -> None:
    told = attempt(probes, Unfinished(delay_seconds=math.inf))
    assert told.state == "failed"
    assert outbox() == [told.message_id]


def test_a_job_that_is_skipped_on_purpose_is_completed(probes: Probes) -> None:
    told = attempt(probes, SkipMessage("nothing to do"))
    assert (told.state, told.why) == ("completed", "skipped")


def test_texts_of_others_are_nowhere_in_redis(
    probes: Probes, caplog: pytest.LogCaptureFixture
) -> None:
    secret = f"{secrets.token_hex(8)}@example.org"

    def sync(user_id: str) -> None:
        try:
            raise ValueError(f"no mailbox {secret}")
        except ValueError as error:
            raise RuntimeError(f"could not write to {secret}") from error

    probes.run(sync, queue(attempts=2, backoff_ms=1))
    message_id = send("sync", "alice").message_id
    with probes.working():
        until_idle(QUEUE)
    told = entry(message_id)
    assert told.failure == Failure("RuntimeError", "", "attempts_spent")
    assert "ValueError" in told.traceback
    assert "test_outcomes.py" in told.traceback
    held = everything()
    assert secret.encode() not in held


def everything() -> bytes:
    """Return all that Redis holds, as it would be saved; no string of it is compressed."""
    redis = redis_client()
    redis.config_set("rdbcompression", "no")
    try:
        return b"".join(key + (redis.dump(key) or b"") for key in redis.scan_iter())
    finally:
        redis.config_set("rdbcompression", "yes")


def test_a_summary_in_any_characters_is_kept(probes: Probes) -> None:
    probes.add("sync", QUEUE)
    hand, message_id = Hand(), send("sync").message_id
    proxy = hand.one(QUEUE)
    proxy.current.summary = "\ud83d half, \U0001f600 whole, \x00 none, é"
    assert hand.end(proxy)
    assert entry(message_id).summary.endswith("é")
    assert "\U0001f600 whole" in entry(message_id).summary


def test_a_job_that_was_interrupted_with_its_worker_waits_in_front(probes: Probes) -> None:
    probes.add("sync", QUEUE, "number")
    message_ids = [send("sync", number).message_id for number in range(3)]
    hand = Hand()
    hand.end(hand.one(QUEUE), Shutdown())
    assert entry(message_ids[0]).attempts == 0
    assert [proxy.message_id for proxy in hand.fetch(QUEUE, 3)] == message_ids


def test_what_an_attempt_left_is_gone_when_the_job_is_completed(probes: Probes) -> None:
    probes.add("sync", QUEUE)
    hand, message_id = Hand(), send("sync").message_id
    hand.end(hand.one(QUEUE), OSError())
    controls.promote(message_id)
    hand.end(hand.one(QUEUE))
    told = entry(message_id)
    assert (told.state, told.attempts) == ("completed", 2)
    assert reading.page("probe", "completed", limit=1).jobs[0].state == "completed"
