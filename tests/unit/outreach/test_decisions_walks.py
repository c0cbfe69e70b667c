"""Whole ways through plans: the same, whenever and in whatever order things become known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outreach.decisions import (
    FINISHED,
    Fact,
    Position,
    Step,
    Timer,
    clock_of,
    next_step,
    timers,
)
from pipeline.outreach.plans import Plan, durations

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOR_EVER = START + timedelta(days=3000)
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
        return {"on": event, "to": target, "after": draw(st.sampled_from(TIMER_LENGTHS))}
    limit = draw(st.sampled_from(("", "within", "after")))
    length = {limit: draw(st.sampled_from(LENGTHS))} if limit else {}
    return {"on": event, "to": target} | length


@st.composite
def any_plan(draw: st.DrawFn) -> Plan:
    actions = [
        "send",
        *(draw(st.sampled_from(("send", "wait", "wait", "stop"))) for _ in NAMES[1:]),
    ]
    some = st.lists(transitions(), max_size=4)
    leading_on = {"send": some, "wait": some, "stop": st.just([])}
    nodes = [
        {"id": name, "action": action, "transitions": draw(leading_on[action])}
        for name, action in zip(NAMES, actions, strict=True)
    ]
    return Plan.model_validate({"timezone": "UTC", "startNodeId": "a", "nodes": nodes})


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
    proven: set[str] = field(default_factory=set)
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
            replace(one, has_proven=one.event_id in self.proven)
            for one in known
            if one.event_id not in self.used
            and self.sent.get(one.message_id, FOR_EVER) <= one.occurred_at <= now
        ]

    def _take(self, step: Step) -> None:
        assert step.occurred_at >= self.position.entered_at
        self.steps.append(step)
        if step.event_id:
            taken = self.proven if step.proves else self.used
            assert step.event_id not in taken
            taken.add(step.event_id)
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


def timers_of(plan: Plan, position: Position, known: Sequence[Fact]) -> list[Timer]:
    """Return the timers that the plan has, not the one that ends it where nothing leads on."""
    return [one for one in timers(plan, position, known) if one.event != FINISHED]


@settings(max_examples=60, deadline=None)
@given(any_plan(), facts(), st.sampled_from(NAMES))
def test_a_timer_that_is_shown_is_the_one_that_comes(
    plan: Plan, known: list[Fact], name: str
) -> None:
    position = Position(name, START, START, "m")
    unrelated = [one for one in known if one.type == "delivered"]
    for timer in timers_of(plan, position, unrelated):
        waits = {plan.wait_of(one) for one in plan.node(name).transitions if one.on == timer.event}
        assert timer.due_at == min(durations.add(START, wait) for wait in waits)
    due = [one.due_at for one in timers_of(plan, position, [])]
    step = next_step(plan, position, [], FOR_EVER)
    comes = step.occurred_at if step and step.trigger != FINISHED else None
    assert comes == min(due, default=None)
