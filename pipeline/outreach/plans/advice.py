"""What of a plan may not be as it was meant, though nothing speaks against it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.outreach.plans import graph
from pipeline.outreach.plans.problems import Problem
from pipeline.outreach.plans.reports import last_channels
from pipeline.outreach.plans.schema import TIMER_EVENTS, Plan, Transition


def warnings(plan: Plan) -> list[Problem]:
    """Return what to look at again in a plan without errors."""
    return [
        *_sends(plan),
        *_repeats(plan),
        *_ends(plan),
        *_shadowed(plan),
        *_waits_for_nothing(plan),
    ]


def _sends(plan: Plan) -> Iterator[Problem]:
    if not plan.channels:
        yield Problem("nodes", "no node sends anything")


def _repeats(plan: Plan) -> Iterator[Problem]:
    """Yield the send nodes that a contact can come back to."""
    for index, node in enumerate(plan.nodes):
        after = [transition.to for transition in node.transitions]
        if node.action == "send" and node.id in graph.reachable(plan, after):
            message = "contacts can come back here; the message is sent the first time only"
            yield Problem(f"nodes[{index}]", message)


def _ends(plan: Plan) -> Iterator[Problem]:
    """Yield the nodes that contacts may stay at for good: something could still happen there."""
    for index, node in enumerate(plan.nodes):
        path, on = f"nodes[{index}].transitions", {one.on for one in node.transitions}
        if not on - set(TIMER_EVENTS):
            continue  # who has no timer to wait for is through
        if not on & set(TIMER_EVENTS):
            yield Problem(
                path, "contacts of whom nothing is heard stay here; add no_open or no_click"
            )
        for timer, event in TIMER_EVENTS.items():
            if timer in on and not on & _taking(event):
                yield Problem(path, f"contacts who {_DO[event]} stay here; add {event!r}")


#: What people do, by the event that it is.
_DO = {"opened": "open", "clicked": "click"}


def _taking(event: str) -> set[str]:
    """Return on what events a transition may be that takes `event`; a click is an open too."""
    return {event, "opened"}


def _shadowed(plan: Plan) -> Iterator[Problem]:
    """Yield the transitions before which another always comes."""
    for path, node, transition in graph.placed(plan):
        before = node.transitions[: node.transitions.index(transition)]
        if any(_always_first(one, transition) for one in before):
            yield Problem(path, f"is never taken: another on {transition.on} comes before it")


def _always_first(one: Transition, other: Transition) -> bool:
    if one.on != other.on:
        return False
    return one.on in TIMER_EVENTS or not (one.within or one.after)


def _waits_for_nothing(plan: Plan) -> Iterator[Problem]:
    """Yield the events of messages where no message was sent yet."""
    channels = last_channels(plan)
    for path, node, transition in graph.placed(plan):
        if not channels[node.id] and transition.on not in TIMER_EVENTS:
            yield Problem(path, "is never taken: no message was sent before")
