"""Budgets in a real Redis, on a clock of ours, beside a model that remembers every unit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ledger_helpers import windows
from redis_clock import Clock, clock_of

from pipeline.limits import budgets
from pipeline.limits.budgets import Budget, Charge, Refused, Room
from pipeline.limits.profiles import COUNTED_SLOTS, WINDOW_SLOTS

_keys = itertools.count()


@pytest.fixture(scope="module")
def clock(servers: dict[str, str]) -> Iterator[Clock]:
    with clock_of(budgets) as clock:
        yield clock


def budget(limit: int, seconds: float = 60.0, name: str = "minute") -> Budget:
    return Budget(f"test:{next(_keys)}", limit, seconds, name)


class Model:
    """What was taken of a budget, unit by unit."""

    def __init__(self, of: Budget) -> None:
        self.of = of
        self.taken: list[float] = []

    def used(self, now: float) -> int:
        """Units whose slot has not left the window, and what may be late, at `now`."""
        length = self.of.slot_microseconds / 1e6
        present = round(now * 1e6) // self.of.slot_microseconds
        return sum(
            present - round(at * 1e6) // self.of.slot_microseconds < COUNTED_SLOTS
            for at in self.taken
            if now - at <= (COUNTED_SLOTS + 1) * length
        )


LEVELS = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([7.77, 60.0, 3600.0])), min_size=1, max_size=4
)
STEPS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.one_of(st.floats(0, 0.2), st.floats(0, 6), st.floats(0, 40)),
        st.floats(0, 1),
        st.booleans(),
    ),
    min_size=20,
    max_size=60,
)


@hypothesis_settings(max_examples=30, deadline=None)
@given(levels=LEVELS, steps=STEPS, which=st.sampled_from([min, max]))
def test_all_or_none_is_taken_and_no_window_anywhere_sees_more_than_a_limit(
    clock: Clock, levels, steps, which
) -> None:
    clock.restart()
    found = [budget(limit, seconds) for limit, seconds in levels]
    models = [Model(one) for one in found]
    slot = which(seconds / WINDOW_SLOTS for _, seconds in levels)
    shortest = min(seconds / WINDOW_SLOTS for _, seconds in levels)
    arrivals: list[tuple[float, float, int]] = []
    for units, wait, late, again in steps:
        clock.advance(wait * slot)
        units = min(units, *(one.limit for one in found))
        used = [model.used(clock.seconds) for model in models]
        assert budgets.used(found) == used
        left = min(one.limit - taken for one, taken in zip(found, used, strict=True))
        assert budgets.room(found).units == max(0, left)
        refused = budgets.take(found, units)
        assert (refused is None) == (units <= left)
        if refused and again:
            clock.advance(refused.wait_seconds - 0.000_001)
            assert budgets.take(found, units)
            clock.advance(0.000_001)
            refused = budgets.take(found, units)
            assert refused is None
        if refused is None:
            for model in models:
                model.taken += [clock.seconds] * units
            at = clock.seconds + late * shortest
            arrivals.append((at, at, units))
    for one in found:
        assert max(windows(arrivals, one.seconds), default=0) <= one.limit


def test_a_refusal_names_the_budget_that_is_empty_for_longest(clock: Clock) -> None:
    clock.restart()
    minute, hour = budget(3), budget(2, 3600.0, "hour")
    assert budgets.room([minute, hour]) == Room(2, 0)
    assert budgets.take([minute, hour], 2) is None
    refused = budgets.take([minute, hour])
    assert refused is not None
    assert (refused.budget.name, refused.wait_seconds) == ("hour", 32 * 120)
    assert budgets.room([minute, hour]) == Room(0, 32 * 120)
    assert budgets.room([minute]) == Room(1, 0)


def test_a_budget_of_nothing_lets_nothing_through_and_is_looked_at_within_the_hour(
    clock: Clock,
) -> None:
    clock.restart()
    none, some = budget(0), budget(5, 3600.0, "hour")
    assert budgets.take([some, none]) == (none, 3600)
    assert budgets.room([some, none]) == Room(0, 3600)
    assert budgets.used([some, none]) == [0, 0]


def test_a_limit_that_was_lowered_waits_until_enough_has_come_back(clock: Clock) -> None:
    clock.restart()
    high = budget(6)
    for _ in range(6):
        assert budgets.take([high]) is None
        clock.advance(2)
    low = Budget(high.key, 2, high.seconds, high.name)
    refused = budgets.take([low])
    assert refused is not None
    assert refused.wait_seconds == 32 * 2 + 4 * 2 - 6 * 2
    assert budgets.room([low]) == Room(0, refused.wait_seconds)


def test_more_than_a_budget_ever_holds_is_a_mistake(clock: Clock) -> None:
    with pytest.raises(ValueError, match="4 are more than the 3 of minute"):
        budgets.take([budget(3)], 4)


def test_each_budget_gives_units_of_its_own(clock: Clock) -> None:
    clock.restart()
    calls, tokens = budget(2), budget(100)
    assert isinstance(budgets.charge([calls, tokens], [1, 60]), Charge)
    refused = budgets.charge([calls, tokens], [1, 41])
    assert refused == Refused(tokens, 32 * 2)
    assert budgets.used([calls, tokens]) == [1, 60]
    assert isinstance(budgets.charge([calls, tokens], [1, 40]), Charge)
    assert budgets.used([calls, tokens]) == [2, 100]


def test_what_was_charged_is_corrected_in_the_slot_that_it_was_taken_in(clock: Clock) -> None:
    clock.restart()
    tokens = budget(100)
    charged = budgets.charge([tokens], [80])
    assert isinstance(charged, Charge)
    clock.advance(10)
    charged.correct([30])
    assert budgets.used([tokens]) == [30]
    assert budgets.take([tokens], 70) is None
    # The first slot has left the window, and took with it no more than was in it.
    clock.advance(32 * 2 - 10)
    assert budgets.used([tokens]) == [70]


def test_what_took_more_than_was_thought_counts_though_there_was_no_room(clock: Clock) -> None:
    clock.restart()
    tokens = budget(100)
    charged = budgets.charge([tokens], [90])
    assert isinstance(charged, Charge)
    charged.correct([150])
    assert budgets.used([tokens]) == [150]
    assert budgets.room([tokens]) == Room(0, 32 * 2)


def test_what_has_left_the_window_is_not_corrected(clock: Clock) -> None:
    clock.restart()
    tokens = budget(100)
    charged = budgets.charge([tokens], [50])
    assert isinstance(charged, Charge)
    clock.advance(32 * 2)
    assert budgets.take([tokens], 10) is None
    charged.correct([0])
    assert budgets.used([tokens]) == [10]


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 100), st.integers(0, 100), st.floats(0, 20)), max_size=30
    )
)
def test_what_is_in_use_is_what_was_taken_in_the_end(clock: Clock, steps) -> None:
    clock.restart()
    tokens = budget(100)
    model: list[tuple[float, int]] = []
    for estimate, actual, wait in steps:
        charged = budgets.charge([tokens], [estimate])
        present = round(clock.seconds * 1e6) // tokens.slot_microseconds
        if isinstance(charged, Charge):
            charged.correct([min(actual, estimate)])
            model.append((present, min(actual, estimate)))
        in_use = sum(units for slot, units in model if present - slot < COUNTED_SLOTS)
        assert budgets.used([tokens]) == [in_use]
        assert in_use <= tokens.limit
        clock.advance(wait)
