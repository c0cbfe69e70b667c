"""Taking an enrollment as far as what is known about it leads."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.outreach import decisions
from pipeline.outreach.batches import Walk
from pipeline.outreach.decisions import Fact, Position, Step
from pipeline.outreach.plans import TIMER_EVENTS
from pipeline.stores import Row

#: Steps that one transaction takes at most; its timers, which are past, have the rest taken.
MOST_STEPS = 100


def step_on(walk: Walk, now: datetime) -> None:
    """Take the steps that are due, one after the other, until none is."""
    for _ in range(MOST_STEPS):
        if not walk.moves:
            return
        heed_sent(walk)
        step = decisions.next_step(walk.plan, position(walk), walk.facts, now)
        if step is None:
            return
        _take(walk, step, now)


def heed_sent(walk: Walk) -> None:
    """Have the clock of a send node run whose message was sent.

    That of a node which the contact was at before runs from its entry: nothing is sent again.
    """
    row = walk.row
    message = walk.messages.get(row["node_id"])
    if row.get("sent_at") or message is None or message["state"] != "sent":
        return
    if walk.plan.node(row["node_id"]).action == "send":
        row["sent_at"] = max(
            message.get("sent_at") or row["node_entered_at"], row["node_entered_at"]
        )
        row["message_id"] = message["_id"]


def position(walk: Walk) -> Position:
    """Return where an enrollment is, as decisions take it."""
    row = walk.row
    is_sent = walk.plan.node(row["node_id"]).action != "send" or row.get("sent_at")
    return Position(
        node_id=row["node_id"],
        entered_at=row["node_entered_at"],
        sent_at=row.get("sent_at"),
        message_id=row.get("message_id") if is_sent else None,
        floor=row.get("events_from"),
    )


def _take(walk: Walk, step: Step, now: datetime) -> None:
    before = walk.row
    entered: Row = {}
    if step.to_node:
        entered = {
            "node_id": step.to_node,
            "node_entered_at": step.occurred_at,
            "events_from": before.get("sent_at") or before["node_entered_at"],
            "sent_at": None,
        }
    walk.change(
        step.trigger,
        step.occurred_at,
        now,
        status=step.ends or "",
        reason=step.reason,
        event_id=step.event_id or _synthetic(walk, step, now),
        **entered,
    )
    if step.event_id:
        _use(walk, step, before)


def _synthetic(walk: Walk, step: Step, now: datetime) -> str:
    """Add the event that a timer is, for the message that it ran for; return its id."""
    message_id = walk.row.get("message_id")
    if step.trigger not in TIMER_EVENTS or not message_id:
        return ""
    event_id = f"headrace:{message_id}:{step.trigger}"
    row = walk.row
    event = {name: row[name] for name in ("tenant_id", "campaign_id", "contact_id")}
    event |= {
        "_id": event_id,
        "enrollment_id": row["_id"],
        "message_id": message_id,
        "node_id": row["node_id"],
        "provider": "headrace",
        "type": step.trigger,
        "occurred_at": step.occurred_at,
        "received_at": now,
        "effect": step.reason,
        "led_to": row["state_version"] + 1,
    }
    walk.synthetic.append(event)
    return event_id


def _use(walk: Walk, step: Step, before: Row) -> None:
    """Note what came of an event: it leads nowhere else, unless it is a click and proved more."""
    event_id, there = step.event_id, walk.row["node_id"]
    assert event_id
    went = f"led from {before['node_id']} to {there}"
    effect: Row = {
        "effect": went if there != before["node_id"] else f"the enrollment is {walk.row['status']}"
    }
    if step.proves:
        walk.facts = [_proven(fact) if fact.event_id == event_id else fact for fact in walk.facts]
        effect["proved"] = True
    else:
        walk.facts = [fact for fact in walk.facts if fact.event_id != event_id]
        effect["led_to"] = walk.row["state_version"]
    walk.used[event_id] = walk.used.get(event_id, {}) | effect


def _proven(fact: Fact) -> Fact:
    return replace(fact, has_proven=True)
