"""What any window of a provider sees: the ledger's script in a real Redis, on a clock of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ledger_helpers import Arrival, profile, refused, taken, windows
from redis_clock import Clock, clock_of

from pipeline.config import settings
from pipeline.limits import ledger
from pipeline.limits.profiles import (
    COUNTED_SLOTS,
    LEVEL_NAMES,
    WINDOW_SLOTS,
    Level,
    LevelName,
    Profile,
)

DAY, SLOT_OF_DAY = 86_400.0, 2880.0


@pytest.fixture(scope="module")
def clock(servers: dict[str, str]) -> Iterator[Clock]:
    """The clock of the ledger, with the whole of each limit to give out."""
    with pytest.MonkeyPatch.context() as patch, clock_of(ledger) as clock:
        patch.setenv("QUOTA_USE_FRACTION", "1")
        settings.cache_clear()
        yield clock
    settings.cache_clear()


def level_of(name: LevelName, at_once: int, window_seconds: float) -> Level:
    """Return a level of which so many units may be taken at once."""
    return Level(name, at_once * (COUNTED_SLOTS if window_seconds == DAY else 1), window_seconds)


LEVELS = st.lists(
    st.builds(
        level_of,
        st.sampled_from(LEVEL_NAMES),
        st.integers(50, 150),
        st.sampled_from([7.77, 60.0, 100.0, DAY]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda level: level.name,
)
#: What share of the units that fit at once is asked for, after how many slots, how late in its
#: slot the call arrives, and whether a refused one is tried again.
STEPS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.one_of(st.floats(0, 1), st.floats(0, 6), st.floats(0, 35)),
        st.floats(0, 1),
        st.booleans(),
    ),
    min_size=30,
    max_size=90,
)


@hypothesis_settings(max_examples=50, deadline=None)
@given(levels=LEVELS, steps=STEPS, shortest_or_longest=st.sampled_from([min, max]))
def test_no_window_of_any_sequence_holds_more_than_the_limit_even_if_calls_arrive_late(
    clock: Clock,
    levels: list[Level],
    steps: list[tuple[float, float, float, bool]],
    shortest_or_longest: Callable[[Iterable[float]], float],
) -> None:
    clock.restart()
    quota = profile(*levels)
    at_once = min(level.units_at_once for level in levels)
    slots_seconds = [level.window_seconds / WINDOW_SLOTS for level in levels]
    arrivals: list[Arrival] = []
    for share, slots, lateness, again in steps:
        clock.advance(slots * shortest_or_longest(slots_seconds))
        units = max(1, int(share * at_once))
        granted = taken(quota, count=units)
        if not granted and again:
            # The refusal names the very moment at which the units are there.
            clock.advance(refused(quota, count=units).retry_after_seconds - 0.000_001)
            assert not taken(quota, count=units)
            clock.advance(0.000_001)
            granted = taken(quota, count=units)
            assert granted
        if granted:
            at = clock.now / 1e6 + lateness * min(slots_seconds)
            arrivals.append((at, at, units))
    for level in levels:
        assert max(windows(arrivals, level.window_seconds), default=0) <= level.limit_units


def test_whoever_asks_without_end_gets_fifteen_sixteenths_of_what_is_allowed(clock: Clock) -> None:
    level = Level("user", 600, 60)
    clock.restart()
    quota = profile(level)
    arrivals: list[Arrival] = []
    end = clock.now / 1e6 + 640
    while (now := clock.now / 1e6) < end:
        if taken(quota, count=7):
            # As late as may be: the last ones of a window meet the first ones of the next.
            late = 2 - len(arrivals) % 2 * 2
            arrivals.append((now + late, now + late, 7))
        else:
            clock.advance(0.27)
    assert max(windows(arrivals, 60)) <= 600
    assert sum(units for *_, units in arrivals) >= 600 * 640 / 60 * 15 / 16 * 0.98


def test_units_that_were_taken_bit_by_bit_come_back_bit_by_bit(clock: Clock) -> None:
    clock.restart()
    quota = profile(Level("user", 600, 60))
    for _ in range(30):
        assert taken(quota, count=20)
        clock.advance(2)
    # A slot counts until 31 more have ended after it.
    assert refused(quota).retry_after_seconds == 4
    assert refused(quota, count=20).retry_after_seconds == 4
    assert refused(quota, count=21).retry_after_seconds == 6
    assert refused(quota, count=600).retry_after_seconds == 4 + 29 * 2


def slots_of_a_day(clock: Clock, quota: Profile, slots: int, most: int = 10**9) -> list[int]:
    """Take all that is given, but no more than `most`, in each of so many slots."""
    given_out = []
    for _ in range(slots):
        units = 0
        while units < most and taken(quota, count=20):
            units += 20
        given_out.append(units)
        clock.advance(SLOT_OF_DAY)
    return given_out


def test_a_day_is_given_out_in_even_shares_to_whoever_asks_without_end(clock: Clock) -> None:
    clock.restart()
    quota = profile(Level("day", 32_000, DAY))
    first = slots_of_a_day(clock, quota, COUNTED_SLOTS)
    assert max(first) == 1500
    assert sum(first) == 32_000
    assert first.count(0) <= 6  # what was lent to the morning, and on no later day
    assert slots_of_a_day(clock, quota, 3 * COUNTED_SLOTS) == [1000] * 3 * COUNTED_SLOTS


def test_whoever_uses_less_than_half_of_a_day_may_use_more_for_a_while(clock: Clock) -> None:
    clock.restart()
    quota = profile(Level("day", 32_000, DAY))
    slots_of_a_day(clock, quota, COUNTED_SLOTS, most=400)
    assert slots_of_a_day(clock, quota, 2) == [1500] * 2


def test_a_refusal_at_a_paced_level_waits_for_the_next_slot(clock: Clock) -> None:
    clock.restart()
    quota = profile(Level("user", 3000, 60), Level("day", 32_000, DAY))
    assert taken(quota, count=1000)
    clock.advance(880)
    assert taken(quota, count=500)
    error = refused(quota)
    assert (error.scope, error.retry_after_seconds) == ("day", 2000)


def test_a_server_whose_clock_is_a_little_behind_takes_over_without_giving_twice(
    clock: Clock,
) -> None:
    clock.restart()
    quota = profile(Level("user", 600, 60))
    assert taken(quota, count=600)
    clock.advance(-7)
    assert refused(quota).retry_after_seconds >= 69
    clock.advance(refused(quota).retry_after_seconds)
    assert taken(quota, count=600)


def test_a_clock_that_was_far_ahead_does_not_block_a_level_for_as_long(clock: Clock) -> None:
    clock.restart()
    quota = profile(Level("user", 600, 60))
    clock.advance(86_400)
    assert taken(quota, count=600)
    clock.advance(-86_400)
    assert taken(quota, count=600)
