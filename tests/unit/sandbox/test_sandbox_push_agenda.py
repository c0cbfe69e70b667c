"""Whose turn it is: nobody is looked at too early, twice at once, or forgotten."""

from __future__ import annotations

import threading

import pytest

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.push.addresses import Verdict, judge
from pipeline.sandbox.push.agenda import Agenda


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def agenda(clock):
    return Agenda(clock)


def test_the_earliest_comes_first(agenda):
    agenda.wake(1, 20)
    agenda.wake(2, 10)
    assert [agenda.take(), agenda.take()] == [2, 1]


def test_an_earlier_plan_replaces_a_later_one_and_not_the_other_way_round(agenda, clock):
    agenda.wake(1, clock.now_ms() + 60_000)
    agenda.wake(1, 10)
    agenda.wake(1, 30)
    agenda.wake(2, 20)
    assert [agenda.take(), agenda.take()] == [1, 2]
    agenda.give_back(1, None)
    agenda.give_back(2, 5)
    assert agenda.take() == 2


def test_a_watch_that_is_woken_meanwhile_is_looked_at_again(agenda):
    agenda.wake(1, 0)
    assert agenda.take() == 1
    agenda.wake(1, 0)
    agenda.wake(2, 1)
    assert agenda.take() == 2, "nobody else gets what is taken"
    agenda.give_back(1, None)
    assert agenda.take() == 1


def test_what_is_not_due_waits_for_the_clock(agenda, clock):
    agenda.wake(1, clock.now_ms() + 3_600_000)
    taken: list[int | None] = []
    thread = threading.Thread(target=lambda: taken.append(agenda.take()))
    thread.start()
    clock.on_advance(agenda.look_at_the_clock)
    clock.advance(3600)
    thread.join(10)
    assert taken == [1]


def test_a_closed_agenda_lets_everybody_go(agenda):
    thread = threading.Thread(target=agenda.take)
    thread.start()
    agenda.close()
    thread.join(10)
    assert not thread.is_alive()
    assert agenda.take() is None


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("https://headrace.example/hook", Verdict.GOOD),
        ("https://10.0.0.1:8443/hook", Verdict.GOOD),
        ("http://localhost:8080/hook", Verdict.GOOD),
        ("http://127.0.0.2/hook", Verdict.GOOD),
        ("http://[::1]:8080/hook", Verdict.GOOD),
        ("HTTP://localhost/", Verdict.GOOD),
        ("http://headrace.example/hook", Verdict.NOT_HTTPS),
        ("http://10.0.0.1/hook", Verdict.NOT_HTTPS),
        ("http://localhost.example/hook", Verdict.NOT_HTTPS),
        ("http://127.0.0.1@headrace.example/", Verdict.NOT_HTTPS),
        ("//headrace.example/hook", Verdict.NO_HOST),
        ("https:///hook", Verdict.NO_HOST),
        ("http://[::1/", Verdict.NO_HOST),
        ("https://host:99999/", Verdict.NO_HOST),
        ("", Verdict.NO_HOST),
    ],
)
def test_pushes_go_to_https_and_to_this_machine(address, verdict):
    assert judge(address) is verdict
