"""A plan as a tree in text: each node where it is met first, and what leads on from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.tree import Tree

from pipeline.cli.output import number, percent
from pipeline.outreach.reading.plans import STOP, Edge, NodeView

if TYPE_CHECKING:
    from pipeline.outreach.reading.stats import Stats

#: Outcomes that are told behind a node, if there are any.
_TOLD = ("opened", "clicked", "replied", "bounced", "unsubscribed", "spam_report")


def tree_of(nodes: Sequence[NodeView], title: str) -> Tree:
    """Return the plan from its start, each node as near to it as it can be; then only named."""
    by_id = {node.id: node for node in nodes}
    root = Tree(f"[bold]{escape(title)}[/bold]")
    starts = [node for node in nodes if node.is_start]
    met, waiting = {node.id for node in starts}, deque((root, node) for node in starts)
    while waiting:
        tree, node = waiting.popleft()
        branch = tree.add(_node(node))
        for edge in node.edges:
            leads = branch.add(_edge(edge))
            if edge.to in by_id and edge.to not in met:
                met.add(edge.to)
                waiting.append((leads, by_id[edge.to]))
    return root


def _edge(edge: Edge) -> str:
    to = "the end" if edge.to == STOP else f"“{escape(edge.to)}”"
    return f"[cyan]{escape(edge.rule)}[/cyan] → {to}"


def _node(node: NodeView) -> str:
    what = {"send": f"send {node.channel or 'message'} {node.when}", "stop": "the end"}
    told = [f"[bold]{escape(node.id)}[/bold]", what.get(node.action, "wait")]
    if node.here:
        told.append(f"[green]{number(node.here)} here[/green]")
    return f"{'  '.join(told)}{_sent(node.stats)}"


def _sent(stats: Stats) -> str:
    """Return what came of a node's messages, nothing if none was sent."""
    if not stats.sent and not stats.unknown:
        return ""
    told = [f"{number(stats.sent)} sent"]
    for name in _TOLD:
        rate = stats.outcomes.get(name)
        if rate and rate.count:
            told.append(f"{percent(rate.rate)} {name.replace('_', ' ')}")
    if stats.unknown:
        told.append(f"[yellow]{number(stats.unknown)} unknown[/yellow]")
    return f"  [dim]({', '.join(told)})[/dim]"
