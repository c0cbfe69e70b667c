"""The last hour of the queues: one series, whoever writes it, and gaps where nobody did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from own_redis import OwnRedis, talking_to
from waiting import wait_until

from pipeline import dispatch
from pipeline.jobs import controls, layout
from pipeline.stores import redis_client
from pipeline.web import samples
from pipeline.web.samples import MOST_SAMPLES, SAMPLES, Sampler

#: A moment in the middle of a slot.
NOW = 1_800_000_005.0


pytestmark = pytest.mark.usefixtures("stores")


def test_many_samplers_write_one_series() -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: samples.take(NOW), range(8)))
    assert taken.count(True) == 1
    assert redis_client().llen(SAMPLES) == 1


def test_samples_stand_at_their_times_and_gaps_are_empty() -> None:
    dispatch.send("sweep")
    for back in (0, 10, 40):
        samples.take(NOW - back)
    graph = samples.read(NOW)["graph"]
    assert len(graph.times) == len(graph.waiting) == MOST_SAMPLES
    assert graph.times[-1] == 1_800_000_000
    assert graph.waiting[-5:] == [1, None, None, 1, 1]
    assert set(graph.waiting[:-5]) == {None}
    assert samples.read(NOW)["email"].waiting[-1] == 0


def test_a_slot_that_nobody_has_sampled_yet_is_no_gap() -> None:
    samples.take(NOW - 10)
    assert samples.read(NOW)["graph"].waiting[-1] == 0


def test_throughput_is_what_ended_between_two_samples() -> None:
    samples.take(NOW - 20)
    for number in range(3):
        message_id = dispatch.send("advance_graph", f"user{number}").message_id
        controls.cancel(message_id)
    samples.take(NOW - 10)
    samples.take(NOW)
    assert samples.read(NOW)["graph"].ended_per_minute[-3:] == [None, 18, 0]


def test_a_redis_that_began_anew_has_ended_no_negative_jobs() -> None:
    redis_client().hset(layout.ENDED, "graph:completed", 1000)
    samples.take(NOW - 10)
    redis_client().delete(layout.ENDED)
    samples.take(NOW)
    assert samples.read(NOW)["graph"].ended_per_minute[-1] is None


def test_no_more_than_an_hour_is_kept() -> None:
    for back in range(MOST_SAMPLES + 5):
        samples.take(NOW - 10 * back)
    assert redis_client().llen(SAMPLES) == MOST_SAMPLES


@pytest.mark.parametrize(
    "junk", ["", "[]", "{}", '{"at": "x"}', '{"at": 5, "queues": [1]}', "\xff"]
)
def test_what_another_release_wrote_is_left_out(junk: str) -> None:
    samples.take(NOW)
    redis_client().lpush(SAMPLES, junk)
    redis_client().lpush(SAMPLES, '{"at": 1799999990, "queues": {"graph": [1, 2]}}')
    assert samples.read(NOW)["graph"].waiting[-2:] == [None, 0]


def test_of_several_readings_a_point_shows_the_highest() -> None:
    dispatch.send("sweep")
    samples.take(NOW - 20)
    controls.cancel(dispatch.send("sweep").message_id)
    samples.take(NOW - 10)
    samples.take(NOW)
    whole = samples.read(NOW)["graph"]
    short = whole.every(3)
    assert len(short.times) == len(short.waiting) == MOST_SAMPLES // 3
    assert (short.times[-1], short.waiting[-1]) == (whole.times[-1], 1)


def test_a_sampler_samples_until_it_is_stopped() -> None:
    sampler = Sampler(seconds=0.05)
    sampler.start()
    sampler.start()
    wait_until(lambda: redis_client().llen(SAMPLES), "there is a sample")
    sampler.stop()
    sampler.stop()


def test_a_dead_redis_stops_no_sampler(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_PAUSE_SECONDS", 0.1)
    own_redis.client.flushall()
    with talking_to(own_redis):
        sampler = Sampler(seconds=0.05)
        with own_redis.gone():
            sampler.start()
        wait_until(lambda: redis_client().llen(SAMPLES), "there is a sample after all")
        sampler.stop()
