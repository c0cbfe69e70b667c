"""From habits that were found, and patterns that there are, to what is written.

Nothing here asks a store: everything is a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pymongo import InsertOne, UpdateOne

from pipeline.mailbox.patterns.habits import Habit
from pipeline.mailbox.patterns.rows import Key, change_of, is_open, key_of, sender_of
from pipeline.mailbox.patterns.terms import status_of
from pipeline.stores import Row


@dataclass(slots=True)
class Plan:
    """What to write: patterns that are found, those that are found no more, and how many
    habits were left alone."""

    kept: list[InsertOne[Row] | UpdateOne] = field(default_factory=list)
    expired: list[InsertOne[Row] | UpdateOne] = field(default_factory=list)
    skipped: int = 0


@dataclass(slots=True)
class _Known:
    """The patterns of a mailbox; of those that are closed, the last of each kind."""

    open: dict[Key, Row] = field(default_factory=dict)
    closed: dict[Key, Row] = field(default_factory=dict)
    approved: set[str | None] = field(default_factory=set)


def plan(
    found: Iterable[Habit],
    patterns: Iterable[Row],
    *,
    user: Row,
    mailbox: Row,
    spared: Callable[[str], bool],
    now: datetime,
) -> Plan:
    """Return what brings `patterns` to the habits that were `found`.

    Patterns that are approved stay as they are, and so do rejected ones until they may be
    suggested anew.  Mail of a sender that is `spared` is never acted upon.
    """
    made, known = Plan(), _known(patterns)
    for habit in found:
        key = _key_of(habit)
        before = known.closed.get(key)
        if spared(habit.sender_email):
            made.skipped += 1  # one that is open is found no more, and expires
        elif habit.sender_email in known.approved or (before and _cools(before, now)):
            known.open.pop(key, None)
            made.skipped += 1
        elif pattern := known.open.pop(key, before):
            made.kept.append(_update(pattern, habit, user, now))
        else:
            made.kept.append(InsertOne(_row(habit, user, mailbox, now)))
    gone = {"status": "expired", "last_analyzed_at": now}
    made.expired += [UpdateOne(*change_of(one, gone, now)) for one in known.open.values()]
    return made


def _known(patterns: Iterable[Row]) -> _Known:
    known = _Known()
    for pattern in sorted(patterns, key=lambda pattern: pattern["updated_at"]):
        if pattern["status"] == "approved":
            known.approved.add(sender_of(pattern))
        elif is_open(pattern):
            known.open[key_of(pattern)] = pattern
        else:
            known.closed[key_of(pattern)] = pattern
    return known


def _key_of(habit: Habit) -> Key:
    kind = habit.kind
    return Key(kind.pattern_type, habit.sender_email, kind.action, kind.to_folder)


def _cools(pattern: Row, now: datetime) -> bool:
    until = pattern.get("rejection_cooldown_until")
    return pattern["status"] == "rejected" and until is not None and until > now


def _update(pattern: Row, habit: Habit, user: Row, now: datetime) -> UpdateOne:
    """Return what brings a pattern up to date, unless its user has decided on it meanwhile.

    One that was rejected long ago, or had expired, is open again.
    """
    first_seen_at = habit.first_seen_at
    if is_open(pattern) and pattern.get("first_seen_at"):
        # The window may have left behind when this began.
        first_seen_at = min(first_seen_at, pattern["first_seen_at"])
    status = status_of(user, habit.kind.action, habit.confidence, first_seen_at, now)
    facts = _found(habit, now) | {"first_seen_at": first_seen_at, "status": status}
    anew = status == "suggested" != pattern["status"]
    answered = () if is_open(pattern) else ("rejected_at", "rejection_cooldown_until")
    return UpdateOne(*change_of(pattern, facts, now, unset=answered, suggest=anew))


def _row(habit: Habit, user: Row, mailbox: Row, now: datetime) -> Row:
    kind = habit.kind
    status = status_of(user, kind.action, habit.confidence, habit.first_seen_at, now)
    suggested = status == "suggested"
    action = {"action_type": kind.action, "to_folder": kind.to_folder}
    condition = {"sender_email": habit.sender_email, "sender_domain": habit.sender_domain}
    return _found(habit, now) | {
        "user_id": user["_id"],
        "tenant_id": mailbox["tenant_id"],
        "mailbox_id": mailbox["_id"],
        "pattern_type": kind.pattern_type,
        "status": status,
        "condition": {name: value for name, value in condition.items() if value},
        "suggested_action": {name: value for name, value in action.items() if value},
        "first_seen_at": habit.first_seen_at,
        "version": int(suggested),
        "notified_version": 0,
        "suggested_at": now if suggested else None,
        "created_at": now,
        "updated_at": now,
    }


def _found(habit: Habit, now: datetime) -> Row:
    return {
        "confidence": habit.confidence,
        "sample_size": habit.tally.arrivals,
        "exception_count": habit.tally.exceptions,
        "evidence": habit.evidence,
        "last_seen_at": habit.last_seen_at,
        "last_analyzed_at": now,
    }
