"""What leads a contact on depends on what happened and when, never on when we learnt of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outreach.decisions import (
    Fact,
    Position,
    Step,
    clock_of,
    next_step,
    send_time,
    timers,
)
from pipeline.outreach.plans import Plan, durations

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
    assert (step.trigger, step.event_id, step.reason) == ("no_open", None, "no_open after PT10H")  # type: ignore[union-attr]


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
    assert timers(own, SENT, [])[0].because == "no_open after P1D"


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
    too_late = plan_of(node("a", on(kind, "b", within="PT1H")), node("b", action="wait"))
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
    assert step_at(WAIT, WAITING, 4, fact("opened", 3.5)) is None
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
        ({"delay": "PT2H"}, 0, "", (2, 2, "the plan says PT2H after the contact came here")),
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


# Whole ways through plans.

NAMES = ("a", "b", "c", "d", "e")
REAL = ("delivered", "opened", "clicked", "replied", "bounced", "spam_report", "unsubscribed")
#: Timers are long enough that no way round takes more steps than the walker does at once.
TIMER_LENGTHS = ("PT5H", "PT12H", "P1D")
LENGTHS = ("PT1S", "PT10M", "PT1H", *TIMER_LENGTHS)
LATENCY = timedelta(minutes=7)


@st.composite
def transitions(draw: st.DrawFn) -> dict[str, Any]:
    event = draw(st.sampled_from((*REAL, "no_open", "no_click")))
    target = draw(st.sampled_from((*NAMES, "stop")))
    if event.startswith("no_"):
        return on(event, target, after=draw(st.sampled_from(TIMER_LENGTHS)))
    limit = draw(st.sampled_from(("", "within", "after")))
    return on(event, target, **({limit: draw(st.sampled_from(LENGTHS))} if limit else {}))


@st.composite
def any_plan(draw: st.DrawFn) -> Plan:
    actions = [
        "send",
        *(draw(st.sampled_from(("send", "wait", "wait", "stop"))) for _ in NAMES[1:]),
    ]
    some = st.lists(transitions(), max_size=4)
    leading_on = {"send": some, "wait": some, "stop": st.just([])}
    return plan_of(
        *(
            node(name, *draw(leading_on[action]), action=action)
            for name, action in zip(NAMES, actions, strict=True)
        )
    )


@st.composite
def facts(draw: st.DrawFn) -> list[Fact]:
    drawn = st.tuples(
        st.sampled_from(REAL), st.integers(0, 60 * 24 * 6), st.sampled_from(NAMES), st.booleans()
    )
    return [
        Fact(f"e{number}", kind, START + timedelta(minutes=minutes), name, is_machine)
        for number, (kind, minutes, name, is_machine) in enumerate(
            draw(st.lists(drawn, max_size=12))
        )
    ]


@dataclass
class Walker:
    """Takes a contact through a plan as the engine does; messages are named by their nodes."""

    plan: Plan
    position: Position = field(default_factory=lambda: Position("a", START))
    sent: dict[str, datetime] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def look(self, known: Sequence[Fact], now: datetime) -> None:
        """Go as far as what is known leads up to `now`."""
        for _ in range(200):
            if self._is_over or not (self._step(known, now) or self._send(now)):
                return

    @property
    def _is_over(self) -> bool:
        return bool(self.steps and self.steps[-1].ends)

    def _step(self, known: Sequence[Fact], now: datetime) -> bool:
        # Before its message goes out, only what came before that can lead on.
        going_out = self._goes_out_at()
        until = min(now, going_out) if going_out else now
        step = next_step(self.plan, self.position, self._visible(known, until), until)
        if step:
            self._take(step)
        return bool(step)

    def _send(self, now: datetime) -> bool:
        at, name = self._goes_out_at(), self.position.node_id
        if at is None or at > now:
            return False
        self.sent.setdefault(name, at)
        self.position = replace(self.position, sent_at=at, message_id=name)
        return True

    def _goes_out_at(self) -> datetime | None:
        place = self.position
        if place.sent_at or self.plan.node(place.node_id).action != "send":
            return None
        return place.entered_at if place.node_id in self.sent else place.entered_at + LATENCY

    def _visible(self, known: Sequence[Fact], now: datetime) -> Iterable[Fact]:
        """Return what can be known: of messages that were sent, up to now, and not used."""
        return [
            one
            for one in known
            if one.event_id not in self.used
            and self.sent.get(one.message_id, FOR_EVER) <= one.occurred_at <= now
        ]

    def _take(self, step: Step) -> None:
        assert step.occurred_at >= self.position.entered_at
        self.steps.append(step)
        if step.event_id:
            assert step.event_id not in self.used
            self.used.add(step.event_id)
        if step.to_node:
            floor = clock_of(self.plan, self.position)
            message = self.position.message_id
            self.position = Position(step.to_node, step.occurred_at, None, message, floor)


def walk(plan: Plan, known: Sequence[Fact], *ticks: datetime) -> list[Step]:
    """Return the steps of a contact who is looked at at each of `ticks`."""
    walker = Walker(plan)
    for tick in ticks:
        walker.look([one for one in known if one.occurred_at <= tick], tick)
    return walker.steps


END = START + timedelta(days=9)


@settings(max_examples=60, deadline=None)
@given(any_plan(), facts(), st.data())
def test_order_repetition_and_the_moments_of_looking_change_nothing(
    plan: Plan, known: list[Fact], data: st.DataObject
) -> None:
    expected = walk(plan, known, END)
    again = data.draw(st.permutations(known + known[::2]))
    minutes = data.draw(st.lists(st.integers(0, 60 * 24 * 8), max_size=15))
    ticks = [START + timedelta(minutes=minute) for minute in sorted(minutes)]
    moments = [one.occurred_at for one in known]
    assert walk(plan, again, END) == expected
    assert walk(plan, again, *ticks, END) == expected
    assert walk(plan, again, *sorted(ticks + moments), END) == expected


@settings(max_examples=60, deadline=None)
@given(any_plan(), facts())
def test_time_never_runs_backwards_and_nothing_follows_an_end(
    plan: Plan, known: list[Fact]
) -> None:
    steps = walk(plan, known, END)
    times = [step.occurred_at for step in steps]
    assert times == sorted(times)
    assert all(START <= one <= END for one in times)
    assert all(step.ends is None for step in steps[:-1])
    for step in steps:
        if step.to_node:
            assert (plan.node(step.to_node).action == "stop") == (step.ends == "completed")


@settings(max_examples=60, deadline=None)
@given(any_plan(), facts(), st.sampled_from(NAMES))
def test_a_timer_that_is_shown_is_the_one_that_comes(
    plan: Plan, known: list[Fact], name: str
) -> None:
    position = Position(name, START, START, "m")
    unrelated = [one for one in known if one.type == "delivered"]
    for timer in timers(plan, position, unrelated):
        waits = {plan.wait_of(one) for one in plan.node(name).transitions if one.on == timer.event}
        assert timer.due_at == min(durations.add(START, wait) for wait in waits)
    due = [one.due_at for one in timers(plan, position, [])]
    step = next_step(plan, position, [], FOR_EVER)
    assert (step.occurred_at if step else None) == min(due, default=None)
