"""How often somebody may try to sign in: the script in Redis, and the same in one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipeline.errors import RateLimited
from pipeline.stores import redis_client
from pipeline.web.access import attempts
from pipeline.web.access.attempts import InProcess, Limit, forgive, limits_of, take
from pipeline.web.stores import prober

#: Of the comparison: so long that no pause of the machine ends one.
SHORTEST_WAIT_MS = 120_000


def wait_seconds(name: str, address: str = "203.0.113.9") -> float:
    """Try once; return how long to wait, 0 if the attempt may be made."""
    try:
        take(limits_of(name, address))
    except RateLimited as error:
        return error.retry_after_seconds
    return 0


def test_a_name_has_five_failures_free_wherever_they_come_from(stores: None) -> None:
    assert [wait_seconds("ada", f"203.0.113.{n}") for n in range(5)] == [0] * 5
    assert 0 < wait_seconds("Ada ", "203.0.113.99") <= 2
    assert wait_seconds("bob") == 0


def test_an_address_has_more_free_whatever_names_it_tries(stores: None) -> None:
    assert [wait_seconds(f"name-{n}") for n in range(20)] == [0] * 20
    assert wait_seconds("another") > 0
    assert wait_seconds("another", "2001:db8::1") == 0


def test_many_at_once_get_no_more_than_one_after_the_other(stores: None) -> None:
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda n: wait_seconds("ada", f"203.0.113.{n}"), range(40)))
    assert waits.count(0) == 5


def test_each_further_failure_doubles_the_wait(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    alone = InProcess(lambda: clock[0])
    limit = [Limit("name", 5, forgotten=True)]
    waits = []
    for _ in range(16):
        while wait := alone.take(limit):
            clock[0] += wait
            waits.append(wait)
    assert waits == [min(2_000 * 2**n, 900_000) for n in range(11)]
    clock[0] += attempts.MEMORY_MS + 1
    assert alone.take(limit) == 0


def test_a_success_forgets_the_failures_of_a_name_and_gives_an_address_its_attempt_back(
    stores: None,
) -> None:
    for _ in range(3):
        for _ in range(5):
            assert wait_seconds("ada") == 0
        forgive(limits_of("ada", "203.0.113.9"))
    # 15 attempts of this address, of which 3 succeeded.
    assert [wait_seconds(f"name-{n}") for n in range(9)] == [0] * 8 + [pytest.approx(2, abs=1)]


def test_redis_learns_neither_names_nor_addresses(stores: None) -> None:
    wait_seconds("ada")
    keys = [key.decode() for key in redis_client().scan_iter("*")]
    assert len(keys) == 2
    assert not any("ada" in key.partition("}")[2] or "203.0" in key for key in keys)
    assert all(0 < redis_client().pttl(key) <= attempts.MEMORY_MS for key in keys)


@pytest.fixture
def redis_down(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis is known to be down, for as long as the test goes on."""
    monkeypatch.setattr(attempts, "_alone", InProcess())
    prober().note("redis", "Redis does not answer")
    monkeypatch.setattr(prober(), "_asked_at", time.monotonic() + 600)
    yield
    prober()._ask_anew()


def test_while_redis_is_down_each_process_counts_alone(redis_down: None) -> None:
    assert [wait_seconds("ada") for _ in range(5)] == [0] * 5
    assert wait_seconds("ada") > 0
    assert not list(redis_client().scan_iter("*sign-in*"))


def test_a_process_that_counts_alone_forgets_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "_MOST_KEYS", 2)
    alone = InProcess()
    for name in ("a", "b", "c"):
        alone.take([Limit(name, 1, forgotten=True)])
    assert [alone.take([Limit(name, 1, forgotten=True)]) > 0 for name in ("c", "b")] == [True, True]
    assert alone.take([Limit("a", 1, forgotten=True)]) == 0


def in_redis(what: str, limits: list[Limit]) -> float:
    answer = attempts._in_redis(what, limits)
    assert answer is not None
    return answer


class BothCountAlike(RuleBasedStateMachine):
    """The script and the process are given the same; time stands still but for both alike."""

    def __init__(self) -> None:
        super().__init__()
        redis_client().flushdb()
        self.clock = 1e12
        self.alone = InProcess(lambda: self.clock)

    limits = st.lists(
        st.builds(Limit, st.sampled_from("abc"), st.integers(1, 3), forgotten=st.booleans()),
        min_size=1,
        max_size=2,
        unique_by=lambda limit: limit.key,
    )

    @rule(limits=limits)
    def take(self, limits: list[Limit]) -> None:
        expected, real = self.alone.take(limits), in_redis("take", limits)
        # The clock of Redis goes on meanwhile, by much less than the shortest wait.
        assert real == pytest.approx(expected, abs=SHORTEST_WAIT_MS / 2)
        assert bool(real) == bool(expected)

    @rule(limits=limits)
    def forgive(self, limits: list[Limit]) -> None:
        self.alone.forgive(limits)
        in_redis("forgive", limits)

    @rule()
    def time_goes_on_until_nothing_is_closed(self) -> None:
        for key, (failures, _, forgotten_at) in self.alone._states.items():
            self.alone._states[key] = (failures, 0, forgotten_at)
            redis_client().hset(key, "until", 0)

    @precondition(lambda self: self.alone._states)
    @rule()
    def all_is_forgotten(self) -> None:
        self.clock += attempts.MEMORY_MS + attempts.LONGEST_WAIT_MS
        redis_client().flushdb()


def test_the_script_and_the_process_count_alike(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT_MS", SHORTEST_WAIT_MS)
    run_state_machine_as_test(
        BothCountAlike,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
