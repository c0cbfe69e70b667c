"""Slots for what waits for a domain: in order, and never more in any hour than the limit."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits.budgets import Budget, returned_at, slot_at
from pipeline.outreach.sending.spreading import slots

HOUR = 3600.0
NOW = 1_800_000_000.0


def budget(limit: int) -> Budget:
    return Budget("test", limit, HOUR, "domain")


def free_after(of: Budget, taken: list[float], now: float) -> list[float]:
    """Return when each unit may be taken next, after those at `taken`."""
    back = sorted(at for at in (returned_at(of, slot_at(of, at)) for at in taken) if at > now)
    return ([now] * max(0, of.limit - len(back)) + back)[-of.limit :]


def most_in_an_hour(times: list[float]) -> int:
    ordered = sorted(times)
    return max((n - bisect_right(ordered, at - HOUR) for n, at in enumerate(ordered, 1)), default=0)


def anytime(at: float) -> float:
    return at


def not_at_night(at: float) -> float:
    """The first time from `at` on that is not within the first eight hours of a day."""
    of_day = at % 86_400
    return at if of_day >= 28_800 else at - of_day + 28_800


@given(
    limit=st.integers(1, 30),
    taken=st.lists(st.floats(NOW - 5000, NOW), max_size=30),
    count=st.integers(1, 120),
    at_night=st.booleans(),
)
def test_slots_come_in_order_and_no_hour_sees_more_than_the_limit(
    limit: int, taken: list[float], count: int, at_night: bool
) -> None:
    of, taken = budget(limit), taken[:limit]
    wish = not_at_night if at_night else anytime
    found = slots(of, free_after(of, taken, NOW), [], [wish] * count)
    assert found == sorted(found)
    assert min(found) >= NOW
    assert most_in_an_hour(taken + found) <= limit
    assert all(wish(at) == at for at in found)


@given(limit=st.integers(1, 20), first=st.integers(1, 60), then=st.integers(1, 60))
def test_who_comes_later_is_behind_those_who_have_slots_already(
    limit: int, first: int, then: int
) -> None:
    of = budget(limit)
    free = free_after(of, [NOW] * limit, NOW)
    together = slots(of, free, [], [anytime] * (first + then))
    before = slots(of, free, [], [anytime] * first)
    assert before + slots(of, free, before[-limit:], [anytime] * then) == together


def test_a_thousand_to_one_domain_are_gone_within_little_more_than_five_hours() -> None:
    of = budget(200)
    found = slots(of, free_after(of, [], NOW), [], [anytime] * 1000)
    assert most_in_an_hour(found) == 200
    assert found[-1] - NOW < 4 * 64 * 60 + 1


def test_a_quiet_contact_does_not_hold_up_the_others() -> None:
    of, midnight = budget(2), NOW - NOW % 86_400
    night, day = not_at_night, anytime
    found = slots(of, [midnight, midnight], [], [night, day, night, day])
    assert found[0] == midnight + 28_800
    assert found[1] == midnight
