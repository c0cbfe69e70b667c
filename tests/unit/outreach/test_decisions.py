"""What leads a contact on depends on what happened and when, never on when we learnt of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.outreach.decisions import (
    Fact,
    Position,
    Step,
    clock_of,
    next_step,
    send_time,
    timers,
)
from pipeline.outreach.plans import Plan

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOR_EVER = START + timedelta(days=3000)


def plan_of(*nodes: dict[str, Any], **more: Any) -> Plan:
    raw = {"timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": nodes} | more
    return Plan.model_validate(raw)


def node(name: str, *transitions: dict[str, Any], action: str = "send") -> dict[str, Any]:
    channel = {"channel": "email"} if action == "send" else {}
    return {"id": name, "action": action, "transitions": transitions} | channel


def on(event: str, to: str, **limits: str) -> dict[str, Any]:
    return {"on": event, "to": to} | limits


def fact(kind: str, hours: float, message: str = "m", **more: Any) -> Fact:
    return Fact(f"{kind}:{hours}:{message}", kind, START + HOUR * hours, message, **more)


SENT = Position("a", START, START, "m")
WAITING = Position("w", START + HOUR * 2, None, "m", START)


def step_at(plan: Plan, position: Position, hours: float, *facts: Fact) -> Step | None:
    return next_step(plan, position, facts, START + HOUR * hours)


def went(step: Step | None) -> tuple[str | None, float] | None:
    """Return where a step leads, and how many hours after the start it is."""
    return step and (step.to_node or step.ends, (step.occurred_at - START) / HOUR)


# One node at a time.

LIMITS = plan_of(
    node("a", on("opened", "b", within="PT2H"), on("opened", "c", after="PT5H")),
    node("b", action="stop"),
    node("c", action="wait"),
)
TIMED = plan_of(
    node("a", on("opened", "b"), on("no_open", "c", after="PT10H"), on("no_click", "b")),
    node("b", action="wait"),
    node("c", action="wait"),
)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0, ("b", 0)), (2, ("b", 2)), (2.001, None), (4.999, None), (5, ("c", 5)), (70, ("c", 70))],
)
def test_an_event_counts_within_its_time_and_after_it(hours: float, expected: Any) -> None:
    assert went(step_at(LIMITS, SENT, 100, fact("opened", hours))) == expected


def test_no_open_comes_exactly_when_its_time_has_passed() -> None:
    just_before = START + HOUR * 10 - timedelta(milliseconds=1)
    assert next_step(TIMED, SENT, [], just_before) is None
    step = step_at(TIMED, SENT, 10)
    assert went(step) == ("c", 10)
    assert (step.trigger, step.event_id, step.reason) == ("no_open", None, "no open within 10 h")  # type: ignore[union-attr]


def test_a_timer_that_is_looked_at_days_late_has_its_own_time() -> None:
    assert went(step_at(TIMED, SENT, 500, fact("opened", 10.5))) == ("c", 10)


@pytest.mark.parametrize(("kind", "hours"), [("opened", 10), ("clicked", 9), ("opened", 0)])
def test_an_event_up_to_the_deadline_comes_before_it(kind: str, hours: float) -> None:
    assert went(step_at(TIMED, SENT, 500, fact(kind, hours))) == ("b", hours)


def test_a_timer_without_a_time_has_the_plans_and_that_the_usual_one() -> None:
    assert [(one.event, (one.due_at - START) / HOUR) for one in timers(TIMED, SENT, [])] == [
        ("no_open", 10),
        ("no_click", 24),
    ]
    given = {"defaults": {"timers": {"no_open_after": "P1D"}}}
    own = plan_of(node("a", on("no_open", "stop")), **given)
    assert timers(own, SENT, [])[0].due_at == START + HOUR * 24
    assert timers(own, SENT, [])[0].because == "no open within 1 d"


def test_what_has_happened_stops_the_timers_that_wait_for_it() -> None:
    events = [one.event for one in timers(TIMED, SENT, [fact("opened", 3)])]
    assert events == ["no_click"]
    assert timers(TIMED, SENT, [fact("clicked", 3)]) == []
    assert len(timers(TIMED, SENT, [fact("opened", 3, is_machine=True)])) == 2
    assert len(timers(TIMED, SENT, [fact("opened", 3, "another")])) == 2


def test_machines_move_nobody() -> None:
    assert step_at(TIMED, SENT, 5, fact("opened", 3, is_machine=True)) is None


def test_the_earliest_event_wins_then_the_first_transition() -> None:
    plan = plan_of(
        node("a", on("clicked", "b"), on("opened", "c"), on("clicked", "c")),
        node("b", action="wait"),
        node("c", action="wait"),
    )
    both = [fact("clicked", 2), fact("opened", 3)]
    assert went(step_at(plan, SENT, 5, *both)) == ("b", 2)
    assert went(step_at(plan, SENT, 5, fact("opened", 1), *both)) == ("c", 1)


def test_a_click_proves_an_open() -> None:
    plan = plan_of(node("a", on("opened", "b"), on("no_open", "stop")), node("b", action="wait"))
    step = step_at(plan, SENT, 500, fact("clicked", 4))
    assert went(step) == ("b", 4)
    assert step is not None
    assert step.trigger == "clicked"


def test_a_click_that_proved_an_open_is_still_a_click() -> None:
    plan = plan_of(
        node("a", on("opened", "w")),
        node("w", on("clicked", "stop"), on("no_click", "b", after="PT24H"), action="wait"),
        node("b", action="wait"),
    )
    click = fact("clicked", 4)
    first = step_at(plan, SENT, 500, click)
    assert first is not None
    assert (went(first), first.proves) == (("w", 4), True)
    there, proven = (
        Position("w", first.occurred_at, None, "m", START),
        replace(click, has_proven=True),
    )
    second = step_at(plan, there, 500, proven)
    assert second is not None
    assert (went(second), second.proves) == (("completed", 4), False)
    assert timers(plan, there, [proven]) == []


def test_a_click_proves_an_open_once() -> None:
    proven = fact("clicked", 4, has_proven=True)
    assert step_at(plan_of(node("a", on("opened", "a"))), SENT, 500, proven) is None
    assert went(step_at(TIMED, SENT, 500, proven)) == ("c", 10)


def test_in_one_second_mail_is_delivered_then_opened_then_clicked() -> None:
    plan = plan_of(
        node("a", on("clicked", "c"), on("opened", "b"), on("delivered", "d")),
        *(node(name, action="wait") for name in "bcd"),
    )
    all_at_once = [fact(kind, 1) for kind in ("clicked", "delivered", "opened")]
    assert went(step_at(plan, SENT, 2, *all_at_once)) == ("d", 1)
    assert went(step_at(plan, SENT, 2, all_at_once[0], all_at_once[2])) == ("b", 1)


def test_nothing_leads_on_before_the_message_was_sent() -> None:
    unsent = Position("a", START, None, None)
    assert clock_of(TIMED, unsent) is None
    assert timers(TIMED, unsent, []) == []
    assert step_at(TIMED, unsent, 500, fact("opened", 1), fact("bounced", 1)) is None


@pytest.mark.parametrize("kind", ["replied", "unsubscribed", "spam_report"])
def test_who_answers_the_first_mail_does_not_get_the_second(kind: str) -> None:
    for position in (Position("a", START, None, None), SENT):
        step = step_at(TIMED, position, 5, fact(kind, 3, "an earlier one"))
        assert step == Step(
            kind, f"{kind}:3:an earlier one", START + HOUR * 3, None, "stopped", kind
        )


def test_a_bounce_of_an_earlier_message_ends_nothing() -> None:
    assert step_at(TIMED, SENT, 5, fact("bounced", 3, "an earlier one")) is None


@pytest.mark.parametrize("kind", ["bounced", "replied", "unsubscribed", "spam_report"])
def test_an_end_comes_unless_the_plan_says_otherwise(kind: str) -> None:
    assert went(step_at(TIMED, SENT, 5, fact(kind, 3))) == ("stopped", 3)
    own = plan_of(node("a", on(kind, "b")), node("b", action="wait"))
    assert went(step_at(own, SENT, 5, fact(kind, 3))) == ("b", 3)
    late = on(kind, "b", within="PT1H"), on("delivered", "b")
    too_late = plan_of(node("a", *late), node("b", action="wait"))
    assert went(step_at(too_late, SENT, 5, fact(kind, 3))) == ("stopped", 3)


@pytest.mark.parametrize("kind", ["delivered", "opened", "resubscribed", "no_open"])
def test_other_events_without_a_transition_lead_nowhere(kind: str) -> None:
    assert step_at(plan_of(node("a", on("clicked", "stop"))), SENT, 5, fact(kind, 3)) is None


def test_a_plan_ends_at_a_stop_node_and_at_stop() -> None:
    plan = plan_of(
        node("a", on("opened", "stop"), on("clicked", "end")), node("end", action="stop")
    )
    opened, clicked = (step_at(plan, SENT, 5, fact(one, 1)) for one in ("opened", "clicked"))
    assert opened is not None
    assert clicked is not None
    assert (opened.to_node, opened.ends) == (None, "completed")
    assert (clicked.to_node, clicked.ends) == ("end", "completed")
    over = Position("end", START, None, "m")
    assert step_at(plan, over, 500, fact("replied", 3), fact("opened", 4)) is None


WAIT = plan_of(
    node("w", on("opened", "b", within="PT1H"), on("no_open", "c", after="PT5H"), action="wait"),
    node("b", action="wait"),
    node("c", action="wait"),
)


def test_a_wait_node_heeds_what_came_of_the_last_message_before_it() -> None:
    assert went(step_at(WAIT, WAITING, 4, fact("opened", 1))) == ("b", 2)
    assert went(step_at(WAIT, WAITING, 4, fact("opened", 2.5))) == ("b", 2.5)
    assert went(step_at(WAIT, WAITING, 4, fact("opened", 3.5))) == ("completed", 3.5)
    assert went(step_at(WAIT, WAITING, 100)) == ("c", 7)
    assert went(step_at(WAIT, Position("w", START), 100)) == ("c", 5)


def test_what_is_older_than_the_node_before_does_not_count() -> None:
    later = replace(WAITING, floor=START + HOUR * 1.5)
    assert step_at(WAIT, later, 4, fact("opened", 1)) is None
    assert went(step_at(WAIT, later, 4, fact("opened", 1.5))) == ("b", 2)


def test_a_provider_that_tells_whole_seconds_is_not_too_early() -> None:
    sent = START + timedelta(milliseconds=700)
    position = Position("a", START, sent, "m", floor=sent)
    step = next_step(TIMED, position, [fact("opened", 0)], START + HOUR)
    assert step is not None
    assert step.occurred_at == sent


def test_what_occurs_in_the_future_has_occurred_now() -> None:
    step = step_at(TIMED, SENT, 1, fact("opened", 1.2))
    assert went(step) == ("b", 1)


# When a message goes out.


def sends_at(schedule: dict[str, str], hours: float, zone: str = "") -> tuple[float, float, str]:
    quiet = {"quietHours": {"start": "20:00", "end": "08:00"}}
    plan = plan_of(node("a") | {"schedule": schedule}, **quiet)
    planned = send_time(plan, plan.node("a"), START, zone, START + HOUR * hours)
    return (
        (planned.due_at - START) / HOUR,
        (planned.planned_at - START) / HOUR,
        planned.because,
    )


@pytest.mark.parametrize(
    ("schedule", "now", "zone", "expected"),
    [
        ({}, 0, "", (0, 0, "at once")),
        ({"delay": "PT2H"}, 0, "", (2, 2, "the plan says 2 h after the contact came here")),
        ({"delay": "PT2H"}, 3, "", (3, 3, "at once")),
        (
            {"at": "2026-03-02T11:00:00Z", "delay": "P9D"},
            0,
            "",
            (2, 2, "the plan says 2026-03-02T11:00:00Z"),
        ),
        ({"at": "2026-03-02T08:00:00Z"}, 0, "", (0, 0, "at once")),
        ({}, 12, "", (23, 12, "at once, but it is quiet until 08:00 in UTC")),
        (
            {},
            0,
            "America/New_York",
            (4, 0, "at once, but it is quiet until 08:00 in America/New_York"),
        ),
    ],
)
def test_a_message_goes_out_when_the_plan_says_and_it_is_not_quiet(
    schedule: dict[str, str], now: float, zone: str, expected: Any
) -> None:
    assert sends_at(schedule, now, zone) == expected


def test_who_can_go_nowhere_any_more_is_through() -> None:
    sent = Position("a", START, START, "m")
    alone = plan_of(node("a"))
    assert went(step_at(alone, sent, 0)) == ("completed", 0)
    timed = plan_of(node("a", on("no_open", "stop", after="PT3H")))
    assert step_at(timed, sent, 1) is None
    assert went(step_at(timed, sent, 2, fact("opened", 1))) == ("completed", 1)
    hoping = plan_of(node("a", on("clicked", "stop"), on("no_open", "stop", after="PT3H")))
    assert step_at(hoping, sent, 4, fact("opened", 1)) is None
    brief = plan_of(node("a", on("opened", "stop", within="PT3H")))
    assert [one.due_at for one in timers(brief, sent, [])] == [START + 3 * HOUR]
    assert went(step_at(brief, sent, 4)) == ("completed", 3)
    unsent = Position("a", START)
    assert step_at(alone, unsent, 4) is None
