"""A plan as a graph: what leads where, and whether it may."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from pipeline.outreach.plans.problems import Problem
from pipeline.outreach.plans.schema import STOP, TIMER_EVENTS, Node, Plan, Transition
from pipeline.words import suggestion

#: Who did this is not written to any more, whatever a plan says.
_LAST_WORDS = ("unsubscribed", "spam_report")


def problems(plan: Plan) -> list[Problem]:
    """Return what is wrong with how the nodes of a plan hang together."""
    return [
        *_ids(plan),
        *_targets(plan),
        *_timing(plan),
        *_stops(plan),
        *_unreachable(plan),
        *_cycles(plan),
        *_after_last_words(plan),
    ]


def placed(plan: Plan) -> Iterator[tuple[str, Node, Transition]]:
    """Yield all transitions with their paths and nodes."""
    for index, node in enumerate(plan.nodes):
        for place, transition in enumerate(node.transitions):
            yield f"nodes[{index}].transitions[{place}]", node, transition


def reachable(plan: Plan, starts: Collection[str]) -> set[str]:
    """Return the ids of the nodes `starts` and of all that follow them."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        node = plan.by_id.get(waiting.pop())
        if node and node.id not in found:
            found.add(node.id)
            waiting += [transition.to for transition in node.transitions]
    return found


def _ids(plan: Plan) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, node in enumerate(plan.nodes):
        path = f"nodes[{index}].id"
        if node.id in first:
            yield Problem(path, f"{node.id!r} is the id of nodes[{first[node.id]}] already")
        first.setdefault(node.id, index)
        if node.id == STOP and node.action != "stop":
            yield Problem(path, "'stop' is the end of a plan; give this node another id")


def _targets(plan: Plan) -> Iterator[Problem]:
    if plan.start_node_id not in plan.by_id:
        yield Problem("startNodeId", _no_node(plan, plan.start_node_id))
    for path, _, transition in placed(plan):
        if transition.to not in plan.by_id and transition.to != STOP:
            yield Problem(f"{path}.to", _no_node(plan, transition.to))


def _no_node(plan: Plan, node_id: str) -> str:
    return f"there is no node {node_id!r}{suggestion(node_id, [*plan.by_id, STOP])}"


def _timing(plan: Plan) -> Iterator[Problem]:
    for path, _, transition in placed(plan):
        if transition.within and transition.on in TIMER_EVENTS:
            yield Problem(f"{path}.within", f"{transition.on} has a timer; give 'after' instead")
        elif transition.within and transition.after:
            yield Problem(f"{path}.after", "is given beside 'within'; give one of the two")


def _stops(plan: Plan) -> Iterator[Problem]:
    for index, node in enumerate(plan.nodes):
        if node.action == "stop" and node.transitions:
            yield Problem(
                f"nodes[{index}].transitions", "a stop node leads nowhere; leave them out"
            )


def _unreachable(plan: Plan) -> Iterator[Problem]:
    if plan.start_node_id not in plan.by_id:
        return
    found = reachable(plan, [plan.start_node_id])
    for index, node in enumerate(plan.nodes):
        if node.id not in found:
            yield Problem(f"nodes[{index}]", f"nothing leads to the node {node.id!r}")


def _cycles(plan: Plan) -> Iterator[Problem]:
    """Yield the transitions that close a way round without a wait node."""
    paths: dict[tuple[str, str], str] = {}
    for path, node, transition in placed(plan):
        if node.action != "wait" and transition.to in plan.by_id:
            paths.setdefault((node.id, transition.to), path)
    while cycle := _cycle(paths, list(plan.by_id)):
        way = " → ".join([*cycle, cycle[0]])
        path = paths.pop((cycle[-1], cycle[0]))
        yield Problem(f"{path}.to", f"leads round without a wait node: {way}")


def _cycle(ways: Iterable[tuple[str, str]], order: list[str]) -> list[str]:
    """Return the nodes of a way round, from that which is first in `order`; empty: none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in ways:
        sorter.add(target, source)
    try:
        sorter.prepare()
    except CycleError as error:
        around: list[str] = error.args[1][1:]  # its first node is also its last
        first = around.index(min(around, key=order.index))
        return around[first:] + around[:first]
    return []


def _after_last_words(plan: Plan) -> Iterator[Problem]:
    for path, _, transition in placed(plan):
        if transition.on not in _LAST_WORDS:
            continue
        sends = (plan.by_id[one] for one in sorted(reachable(plan, [transition.to])))
        first = next((node.id for node in sends if node.action == "send"), None)
        if first:
            message = f"leads to the send node {first!r}; nothing is sent after {transition.on}"
            yield Problem(f"{path}.to", message)
