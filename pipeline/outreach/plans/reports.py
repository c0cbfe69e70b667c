"""Which events can come of a plan's messages at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.outreach.plans.problems import Problem
from pipeline.outreach.plans.schema import TIMER_EVENTS, Plan

_SMS = frozenset({"delivered", "clicked", "replied", "bounced", "spam_report", "unsubscribed"})
#: What some provider tells of a channel.
CHANNELS = {"email": _SMS | {"opened"}, "sms": _SMS}


def problems(plan: Plan) -> list[Problem]:
    """Return the transitions on what no provider tells of a channel."""
    return unreportable(plan, CHANNELS)


def unreportable(plan: Plan, reports: Mapping[str, frozenset[str]]) -> list[Problem]:
    """Return the transitions on events that cannot be known.

    `reports` are the events that each channel's sender tells; without a channel nothing is said
    of it.
    """
    before = last_channels(plan)
    return [
        Problem(path, f"{channels} {'do' if ' and ' in channels else 'does'} not tell of {event!r}")
        for index, node in enumerate(plan.nodes)
        for path, event, channels in _unknown(index, plan, before[node.id], reports)
    ]


def last_channels(plan: Plan) -> dict[str, set[str]]:
    """Return by node which channels the last message before or at it may have gone by."""
    found: dict[str, set[str]] = {node.id: set() for node in plan.nodes}
    for node in plan.nodes:
        if node.action == "send" and node.channel:
            _spread(plan, node.id, node.channel, found)
    return found


def _spread(plan: Plan, node_id: str, channel: str, found: dict[str, set[str]]) -> None:
    """Note a channel at a send node and at all wait nodes that follow it."""
    waiting = [node_id]
    while waiting:
        current = plan.by_id.get(waiting.pop())
        if current is None or channel in found[current.id]:
            continue
        if current.id == node_id or current.action != "send":
            found[current.id].add(channel)
            waiting += [transition.to for transition in current.transitions]


def _unknown(
    index: int, plan: Plan, channels: set[str], reports: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, str, str]]:
    if not channels or not channels <= set(reports):
        return
    for place, transition in enumerate(plan.nodes[index].transitions):
        told = TIMER_EVENTS.get(transition.on, transition.on)
        if not any(told in reports[channel] for channel in channels):
            path = f"nodes[{index}].transitions[{place}].on"
            yield path, told, " and ".join(sorted(channels))
