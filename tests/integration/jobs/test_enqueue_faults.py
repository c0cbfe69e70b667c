"""Enqueueing when Redis is away, answers are lost, or others enqueue the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from own_redis import OwnRedis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from waiting import wait_until
from workers import QUEUE, entry, keys, send, state, waiting, worker_here

from pipeline.jobs.layout import of_queue
from pipeline.jobs.sending import Send, Sent, enqueue, new_message_id
from pipeline.stores import redis_client


def test_without_redis_enqueueing_fails_with_an_error_and_works_again_afterwards(
    faults: OwnRedis,
) -> None:
    redis_client().set_retry(Retry(NoBackoff(), 1))  # half a minute of tries is long for a test
    with faults.gone(), pytest.raises(RedisConnectionError):
        send("a")
    assert waiting() == []
    assert send("a")[0].created


def test_of_8_threads_that_enqueue_the_same_job_one_creates_it(faults: OwnRedis) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = [one for [one] in pool.map(lambda _: send("a"), range(200))]
    assert sum(one.created for one in sent) == 1
    assert len({one.message_id for one in sent}) == 1
    assert waiting() == ["a"]


def test_an_enqueueing_whose_answer_was_lost_can_be_repeated_whatever_became_of_the_job(
    faults: OwnRedis,
) -> None:
    message_id = new_message_id()

    def again() -> Sent:
        """Do what a client does that timed out."""
        [sent] = enqueue([Send("work", ("alice", "a", "listen 0.5"))], [message_id])
        return sent

    assert again().created
    assert again().created
    assert waiting() == ["a"]
    with worker_here():
        wait_until(lambda: keys("start") == ["a"], "it runs")
        assert again().created
        wait_until(lambda: state(again()) == ["completed"], "it is done")
        assert again().created
    assert redis_client().exists(of_queue(QUEUE.name, "waiting")) == 0
    assert keys("start") == ["a"]
    assert not entry(message_id).runs_again
