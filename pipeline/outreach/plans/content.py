"""What the messages of a plan say, and that it can be said."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.outreach import templates
from pipeline.outreach.plans.problems import Problem
from pipeline.outreach.plans.schema import Node, Plan

_TEMPLATES = ("subject", "body", "text")


def problems(plan: Plan) -> list[Problem]:
    """Return what nodes lack or have too much, and what templates cannot be filled with."""
    return [
        Problem(f"nodes[{index}].{field}", message)
        for index, node in enumerate(plan.nodes)
        for field, message in (_of_send(node) if node.action == "send" else _of_other(node))
    ]


def _of_send(node: Node) -> Iterator[tuple[str, str]]:
    if node.channel is None:
        yield "channel", "is missing; give 'email' or 'sms'"
    if not (node.body or "").strip():
        yield "body", "is missing; a message needs something to say"
    if node.channel == "email" and not (node.subject or "").strip():
        yield "subject", "is missing; mail needs a subject"
    if node.channel == "sms":
        for field in ("subject", "text"):
            if getattr(node, field) is not None:
                yield field, "is not sent by SMS; leave it out"
    if node.channel == "email" and not templates.is_readable(node.body or ""):
        yield (
            "body",
            "is no HTML that can be read; look at tags that do not end, and what begins with <![",
        )
    for field in _TEMPLATES:
        for message in templates.problems(getattr(node, field) or ""):
            yield field, message


def _of_other(node: Node) -> Iterator[tuple[str, str]]:
    for field in (*_TEMPLATES, "schedule"):
        if getattr(node, field) is not None:
            yield field, f"is only for nodes that send; leave it out of a {node.action} node"
