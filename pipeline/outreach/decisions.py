"""What follows for a contact: from where it is, what is known, and the clock.

Nothing here reads or writes.  Everything that may lead on has a moment: an event when it
occurred, a timer its deadline.  The earliest of them wins, so it does not matter in which order,
how often or how late things became known, as long as they are known before a deadline that they
would have forestalled is decided on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from pipeline.outreach.plans import STOP, TIMER_EVENTS, Node, Plan, Transition, durations
from pipeline.quiet_hours import quiet_until

#: Events that end it where the plan has no transition for them.
ENDING = ("bounced", "spam_report", "unsubscribed", "replied")
#: What ends it where the plan has nothing more for the contact.
FINISHED = "finished"
_FOR_EVER = datetime.max.replace(tzinfo=UTC)
#: In which order people do things that a provider tells of with the same second.
_ORDER = {"delivered": 0, "opened": 1, "clicked": 2}
#: Those of them that end it whichever message they are about: the contact has spoken.
_SPOKEN = ("spam_report", "unsubscribed", "replied")


@dataclass(frozen=True, slots=True)
class Fact:
    """An event of a message of the enrollment that has not led anywhere yet.

    `has_proven`: a click has led on as the opening that it proves; it may as the click it is.
    """

    event_id: str
    type: str
    occurred_at: datetime
    message_id: str
    is_machine: bool = False
    has_proven: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where an enrollment is.

    `sent_at` is when the message of a send node was sent, or when the node was entered if it had
    been sent before.  `message_id` is the message that was last sent.  Its events count from
    `floor` on: when the clock of the node before began; None: all do.
    """

    node_id: str
    entered_at: datetime
    sent_at: datetime | None = None
    message_id: str | None = None
    floor: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: the enrollment goes to `to_node`, or ends, or both at a stop node.

    `trigger` is the event's type, `reason` says in words why.  `proves`: the event is a click
    that was taken for the opening that it proves, and may lead on as a click besides.
    """

    trigger: str
    event_id: str | None
    occurred_at: datetime
    to_node: str | None
    ends: Literal["completed", "stopped"] | None
    reason: str
    proves: bool = False


@dataclass(frozen=True, slots=True)
class Timer:
    """When something will have failed to happen, unless it happens before."""

    event: str
    due_at: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Planned:
    """When a message is to go out: by the plan alone, and outside quiet hours."""

    due_at: datetime
    planned_at: datetime
    because: str


def next_step(plan: Plan, position: Position, facts: Iterable[Fact], now: datetime) -> Step | None:
    """Return the first thing that leads on from `position` up to `now`, or None.

    Events are those of all messages of the enrollment; what occurred in the future, by the clock
    of somebody else, counts as having occurred now.
    """
    if plan.node(position.node_id).action == "stop":
        return None
    known = list(facts)
    steps = [
        *_event_steps(plan, position, known, now),
        *_timer_steps(plan, position, known, now),
        *_end_of_the_road(plan, position, known, now),
    ]
    # min takes the first of equals: an event comes before a deadline of the same moment.
    return min(steps, key=lambda step: step.occurred_at, default=None)


def timers(plan: Plan, position: Position, facts: Iterable[Fact]) -> list[Timer]:
    """Return the timers that run at a position: those that nothing known has forestalled.

    Where only events can lead on that must come in time, one ends when it is too late for all.
    """
    known = list(facts)
    ends = _end_of_the_road(plan, position, known, _FOR_EVER)
    return [
        *(timer for timer, _ in _running(plan, position, known)),
        *(Timer(end.trigger, end.occurred_at, end.reason) for end in ends),
    ]


def send_time(plan: Plan, node: Node, entered_at: datetime, zone: str, now: datetime) -> Planned:
    """Return when the message of a send node goes out, never before `now`.

    `zone` is the contact's time zone; empty: the plan's.
    """
    schedule, zone_name = node.schedule, zone or plan.time_zone
    if schedule and schedule.at:
        planned, because = datetime.fromisoformat(schedule.at), f"the plan says {schedule.at}"
    elif schedule:
        planned = durations.add(entered_at, schedule.delay)
        because = f"the plan says {durations.in_words(schedule.delay)} after the contact came here"
    if not schedule or planned <= now:
        planned, because = now, "at once"
    planned = planned.astimezone(now.tzinfo)
    due = quiet_until(planned, zone_name, plan.quiet)
    if due and plan.quiet:
        because += f", but it is quiet until {plan.quiet.end:%H:%M} in {zone_name}"
    return Planned(due or planned, planned, because)


def clock_of(plan: Plan, position: Position) -> datetime | None:
    """Return from when times at a position count; None while its message was not sent."""
    is_send = plan.node(position.node_id).action == "send"
    return position.sent_at if is_send else position.entered_at


def _end_of_the_road(
    plan: Plan, position: Position, facts: list[Fact], now: datetime
) -> Iterator[Step]:
    """Yield the end where nothing can lead on any more: no timer runs, no event is waited for.

    It is there from when the last of what could have led on was over.
    """
    start = clock_of(plan, position)
    if start is None:
        return
    over = [start]
    for transition in plan.node(position.node_id).transitions:
        closed_at = _closed_at(plan, position, transition, start, facts)
        if closed_at is None or closed_at > now:
            return
        over.append(closed_at)
    yield Step(FINISHED, None, max(over), None, "completed", "nothing leads on from here")


def _closed_at(
    plan: Plan, position: Position, transition: Transition, start: datetime, facts: list[Fact]
) -> datetime | None:
    """Return from when on a transition cannot be taken any more, or None if it can for ever."""
    if transition.on not in TIMER_EVENTS:
        return durations.add(start, transition.within) if transition.within else None
    due_at = durations.add(start, plan.wait_of(transition))
    against = [f for f in facts if _forestalls(f, position, transition.on, due_at)]
    return min((fact.occurred_at for fact in against), default=None)


def _event_steps(
    plan: Plan, position: Position, facts: list[Fact], now: datetime
) -> Iterator[Step]:
    """Yield what each event leads to, in the order in which they occurred."""
    start = clock_of(plan, position)
    known = [fact for fact in facts if not fact.is_machine]
    for fact in sorted(known, key=_order):
        at = max(min(fact.occurred_at, now), start or position.entered_at)
        step = _step_of(plan, position, fact, at) if at <= now else None
        if step:
            yield step


def _order(fact: Fact) -> tuple[datetime, int, str]:
    """Sort by time; providers tell whole seconds, in which a lot may happen."""
    return fact.occurred_at, _ORDER.get(fact.type, len(_ORDER)), fact.event_id


def _step_of(plan: Plan, position: Position, fact: Fact, at: datetime) -> Step | None:
    """Return what an event leads to if nothing came before it."""
    start = clock_of(plan, position)
    if start and _counts(position, fact):
        for transition in _candidates(plan.node(position.node_id), fact):
            if _is_in_time(transition, start, at):
                step = _taken(plan, transition, fact.event_id, fact.type, at, _told(transition))
                return replace(step, proves=transition.on != fact.type)
        ends = fact.type in ENDING
    else:
        ends = fact.type in _SPOKEN
    return Step(fact.type, fact.event_id, at, None, "stopped", fact.type) if ends else None


def _counts(position: Position, fact: Fact) -> bool:
    """Return whether an event is one of the message, and of the time, that this is about.

    Providers tell whole seconds.
    """
    if fact.message_id != position.message_id:
        return False
    return not position.floor or fact.occurred_at >= position.floor.replace(microsecond=0)


def _candidates(node: Node, fact: Fact) -> list[Transition]:
    """Return the transitions that an event may take, in their order.

    A click proves once that the message was opened, though its images may never have been loaded.
    """
    own = [one for one in node.transitions if one.on == fact.type]
    if fact.type == "clicked" and not fact.has_proven:
        own += [one for one in node.transitions if one.on == "opened"]
    return own


def _is_in_time(transition: Transition, start: datetime, at: datetime) -> bool:
    if transition.within and at > durations.add(start, transition.within):
        return False
    return not transition.after or at >= durations.add(start, transition.after)


def _timer_steps(
    plan: Plan, position: Position, facts: list[Fact], now: datetime
) -> Iterator[Step]:
    for timer, transition in _running(plan, position, facts):
        if timer.due_at <= now:
            yield _taken(plan, transition, None, timer.event, timer.due_at, timer.because)


def _running(
    plan: Plan, position: Position, facts: list[Fact]
) -> Iterator[tuple[Timer, Transition]]:
    """Yield the timers of a position that nothing known has forestalled; each event's first."""
    start, seen = clock_of(plan, position), set()
    for transition in sorted(
        (one for one in plan.node(position.node_id).transitions if one.on in TIMER_EVENTS),
        key=lambda one: durations.add(position.entered_at, plan.wait_of(one)),
    ):
        if start is None or transition.on in seen:
            continue
        seen.add(transition.on)
        wait = plan.wait_of(transition)
        due_at = durations.add(start, wait)
        if not any(_forestalls(fact, position, transition.on, due_at) for fact in facts):
            because = f"{_name(transition)} within {durations.in_words(wait)}"
            yield Timer(transition.on, due_at, because), transition


def _forestalls(fact: Fact, position: Position, event: str, due_at: datetime) -> bool:
    opens = fact.type == "opened" or (fact.type == "clicked" and not fact.has_proven)
    is_one = opens if event == "no_open" else fact.type == "clicked"
    return is_one and not fact.is_machine and fact.occurred_at <= due_at and _counts(position, fact)


def _told(transition: Transition) -> str:
    """Return what a transition of an event is for, in words."""
    if transition.within:
        return f"{_name(transition)} within {durations.in_words(transition.within)}"
    if transition.after:
        return f"{_name(transition)} after {durations.in_words(transition.after)}"
    return _name(transition)


def _name(transition: Transition) -> str:
    return transition.on.replace("_", " ")


def _taken(
    plan: Plan,
    transition: Transition,
    event_id: str | None,
    trigger: str,
    at: datetime,
    reason: str,
) -> Step:
    """Return the step that a transition is.  A node that is called stop is gone to."""
    target = plan.by_id.get(transition.to)
    if target is None:
        assert transition.to == STOP
        return Step(trigger, event_id, at, None, "completed", reason)
    ends: Literal["completed"] | None = "completed" if target.action == "stop" else None
    return Step(trigger, event_id, at, target.id, ends, reason)
