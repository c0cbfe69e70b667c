"""How sure a habit is: within its bounds, surer with every mail, fair to a silent week."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.patterns import confidence as module
from pipeline.mailbox.patterns.confidence import LEAST_RECENCY, Tally, confidence, lower_bound


@st.composite
def tallies(draw: st.DrawFn, least_arrivals: int = 0) -> Tally:
    arrivals = draw(st.integers(least_arrivals, 2000))
    recent = draw(st.integers(0, arrivals))
    recent_acted = draw(st.integers(0, recent))
    acted = recent_acted + draw(st.integers(0, arrivals - recent))
    return Tally(acted, arrivals, recent_acted, recent)


@given(tally=tallies())
def test_a_confidence_is_between_0_and_100_and_no_more_than_the_rate(tally: Tally) -> None:
    assert 0 <= confidence(tally) <= 100
    assert tally.exceptions >= 0
    if tally.arrivals:
        assert confidence(tally) <= 100 * tally.acted / tally.arrivals + 0.05


@given(tally=tallies(1), recent=st.booleans())
def test_one_more_act_never_makes_a_habit_less_sure(tally: Tally, recent: bool) -> None:
    room = tally.recent_arrivals if recent else tally.arrivals - tally.recent_arrivals
    done = tally.recent_acted if recent else tally.acted - tally.recent_acted
    if done < room:
        more = Tally(
            tally.acted + 1,
            tally.arrivals,
            tally.recent_acted + recent,
            tally.recent_arrivals,
        )
        assert confidence(more) >= confidence(tally)


@given(arrivals=st.integers(1, 5000), more=st.integers(1, 5000))
def test_a_longer_perfect_habit_is_surer(arrivals: int, more: int) -> None:
    assert lower_bound(arrivals + more, arrivals + more) > lower_bound(arrivals, arrivals)
    short, long = Tally(arrivals, arrivals), Tally(arrivals + more, arrivals + more)
    assert confidence(long) >= confidence(short)


@given(tally=tallies(1))
def test_a_silent_week_is_no_better_than_one_as_ever(tally: Tally) -> None:
    silent = Tally(tally.acted, tally.arrivals)
    steady = Tally(tally.acted, tally.arrivals, tally.acted, tally.arrivals)
    assert confidence(silent) == confidence(steady) >= confidence(tally)


@given(tally=tallies(1))
def test_a_recent_change_costs_no_more_than_so_much(tally: Tally) -> None:
    silent = confidence(Tally(tally.acted, tally.arrivals))
    assert confidence(tally) >= LEAST_RECENCY * silent - 0.11


def test_the_numbers_of_the_documentation_are_so() -> None:
    said = re.findall(r"^ {4}(\d+) of (\d+) +([\d.]+)", module.__doc__ or "", re.MULTILINE)
    assert len(said) == 6
    for acted, arrivals, sure in said:
        assert confidence(Tally(int(acted), int(arrivals))) == float(sure)
    assert confidence(Tally(90, 100, 0, 10)) == 72.7


@pytest.mark.parametrize(("threshold", "least"), [(98, 79), (85, 10), (80, 7)])
def test_so_many_mails_of_a_perfect_habit_reach_a_threshold(threshold: int, least: int) -> None:
    sure = [confidence(Tally(count, count)) >= threshold for count in range(1, 200)]
    assert sure.index(True) + 1 == least
    assert all(sure[least - 1 :])


def test_two_mails_of_a_week_say_nothing_about_it() -> None:
    assert confidence(Tally(48, 50, 0, 2)) == confidence(Tally(48, 50))
    assert confidence(Tally(47, 50, 0, 3)) < confidence(Tally(47, 50))
