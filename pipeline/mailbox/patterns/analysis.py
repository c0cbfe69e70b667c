"""One look at a mailbox: what its user does with mail becomes patterns, or is none any more.

Patterns that a user has approved stay as they are; so do rejected ones for as long as their user
said.  Each is changed only if it is still as it was read: two looks at once, or a user who decides
meanwhile, lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from models import EmailEvent, Mailbox, Pattern, User
from pipeline.errors import Permanent
from pipeline.mailbox import guards, mailboxes
from pipeline.mailbox.patterns import suggesting
from pipeline.mailbox.patterns.habits import Habit, habits
from pipeline.mailbox.patterns.rows import Key, changed, is_open, key_of, sender_of
from pipeline.mailbox.patterns.terms import status_of, terms_of, window_start
from pipeline.stores import Row, collection
from pipeline.sync import erasures
from pipeline.words import counted

#: So many events are read at a time: all at once they would be most of the memory.
_EVENTS_AT_A_TIME = 1000
#: The index in whose order all events of a mail are together.
_BY_MAIL = [("mailbox_id", 1), ("message_id", 1), ("timestamp", -1)]
_NEEDED = (
    "message_id",
    "event_type",
    "change_stamp",
    "timestamp",
    "to_folder",
    "sender.email",
    "sender.domain",
    "metadata.automated_by_rule",
    "metadata.found_at_start",
)


@dataclass(slots=True)
class Analysed:
    """What a look came to: patterns that are open now, and what became of others.

    `told` are those of which the user was told; `skipped` those that are approved, rejected or
    of a sender whose mail is never acted upon.
    """

    detected: int = 0
    suggested: int = 0
    expired: int = 0
    skipped: int = 0
    told: int = 0

    def __str__(self) -> str:
        parts = (
            f"{counted(self.suggested, 'pattern')} suggested",
            f"{self.detected:,} detected",
            f"{self.expired:,} expired",
            f"{self.skipped:,} left as they are",
            f"user told of {self.told:,}",
        )
        return ", ".join(parts)


@dataclass(slots=True)
class _Look:
    """One look under way, and the patterns that the mailbox had when it began."""

    user: Row
    mailbox: Row
    now: datetime
    policy: Row | None
    done: Analysed = field(default_factory=Analysed)
    open: dict[Key, Row] = field(default_factory=dict)
    closed: dict[Key, Row] = field(default_factory=dict)
    approved: set[str | None] = field(default_factory=set)


def analyze(user_id: str, mailbox_id: str, now: datetime | None = None) -> Analysed:
    """Bring the patterns of a mailbox to what its user does, and tell the user what is new.

    Nothing is learnt of a user who is not active, or from a mailbox that is not connected.
    Safe to run twice, and twice at once.
    """
    now = now or datetime.now(UTC)
    user = collection(User).find_one({"_id": user_id})
    mailbox = collection(Mailbox).find_one({"_id": mailbox_id, "user_id": user_id})
    if user is None or mailbox is None or not _may_learn(user, mailbox):
        return Analysed()
    look = _begun(user, mailbox, now)
    terms = terms_of(user, mailbox, mailboxes.folders(mailbox), now)
    for habit in habits(_events(user, mailbox, now), terms):
        _keep(look, habit)
    _expire(look, look.open.values())
    if erasures.under_way(user_id):  # it may have looked before these were there
        collection(Pattern).delete_many({"user_id": user_id})
        return Analysed()
    look.done.told = suggesting.tell(mailbox)
    return look.done


def _may_learn(user: Row, mailbox: Row) -> bool:
    active = user.get("is_active", True) and mailbox.get("is_connected", True)
    return bool(active) and not erasures.under_way(user["_id"])


def _begun(user: Row, mailbox: Row, now: datetime) -> _Look:
    look = _Look(user, mailbox, now, guards.policy_of(mailbox["tenant_id"]))
    of_mailbox = {"user_id": user["_id"], "mailbox_id": mailbox["_id"]}
    for pattern in collection(Pattern).find(of_mailbox).sort("updated_at", 1):
        if pattern["status"] == "approved":
            look.approved.add(sender_of(pattern))
        elif is_open(pattern):
            look.open[key_of(pattern)] = pattern
        else:  # the newest of its kind
            look.closed[key_of(pattern)] = pattern
    return look


def _events(user: Row, mailbox: Row, now: datetime) -> Iterator[Row]:
    """Yield what is needed of the events in the user's window, all of a mail together."""
    wanted = {
        "mailbox_id": mailbox["_id"],
        "user_id": user["_id"],
        "timestamp": {"$gte": window_start(user, now)},
    }
    fields = dict.fromkeys(_NEEDED, 1) | {"_id": 0}
    found = collection(EmailEvent).find(wanted, fields).sort(_BY_MAIL).hint(_BY_MAIL)
    return iter(found.batch_size(_EVENTS_AT_A_TIME))


def _keep(look: _Look, habit: Habit) -> None:
    """Make a habit a pattern, or bring the one that it is up to date."""
    kind = habit.kind
    key = Key(kind.pattern_type, habit.sender_email, kind.action, kind.to_folder)
    before = look.closed.get(key)
    if guards.whitelisted(look.mailbox, look.policy, habit.sender_email):
        look.done.skipped += 1  # one that is open is found no more, and expires
    elif habit.sender_email in look.approved or (before and _cools(before, look.now)):
        look.open.pop(key, None)
        look.done.skipped += 1
    elif key in look.open:
        _update(look, look.open.pop(key), habit)
    elif before:
        _update(look, before, habit)
    else:
        _insert(look, habit)


def _cools(pattern: Row, now: datetime) -> bool:
    until = pattern.get("rejection_cooldown_until")
    return pattern["status"] == "rejected" and until is not None and until > now


def _update(look: _Look, pattern: Row, habit: Habit) -> None:
    """Bring a pattern up to date, unless its user has decided on it meanwhile.

    One that was rejected long ago, or had expired, is open again.
    """
    first_seen_at = habit.first_seen_at
    if is_open(pattern) and pattern.get("first_seen_at"):
        first_seen_at = min(first_seen_at, pattern["first_seen_at"])
    status = status_of(look.user, habit.kind.action, habit.confidence, first_seen_at, look.now)
    found = _found(habit, look.now) | {"first_seen_at": first_seen_at, "status": status}
    anew = status == "suggested" != pattern["status"]
    answered = () if is_open(pattern) else ("rejected_at", "rejection_cooldown_until")
    try:
        if changed(pattern, found, look.now, unset=answered, suggest=anew):
            _count(look, status)
    except Permanent:
        look.done.skipped += 1  # another look has just opened it


def _insert(look: _Look, habit: Habit) -> None:
    kind = habit.kind
    status = status_of(look.user, kind.action, habit.confidence, habit.first_seen_at, look.now)
    action = {"action_type": kind.action, "to_folder": kind.to_folder}
    condition = {"sender_email": habit.sender_email, "sender_domain": habit.sender_domain}
    row = _found(habit, look.now) | {
        "user_id": look.user["_id"],
        "tenant_id": look.mailbox["tenant_id"],
        "mailbox_id": look.mailbox["_id"],
        "pattern_type": kind.pattern_type,
        "status": status,
        "condition": {name: value for name, value in condition.items() if value},
        "suggested_action": {name: value for name, value in action.items() if value},
        "first_seen_at": habit.first_seen_at,
        "version": int(status == "suggested"),
        "notified_version": 0,
        "created_at": look.now,
        "updated_at": look.now,
    }
    if status == "suggested":
        row["suggested_at"] = look.now
    try:
        collection(Pattern).insert_one(row)
        _count(look, status)
    except DuplicateKeyError:
        look.done.skipped += 1  # another look has just found it


def _found(habit: Habit, now: datetime) -> Row:
    return {
        "confidence": habit.confidence,
        "sample_size": habit.tally.arrivals,
        "exception_count": habit.tally.exceptions,
        "evidence": habit.evidence,
        "last_seen_at": habit.last_seen_at,
        "last_analyzed_at": now,
    }


def _count(look: _Look, status: str) -> None:
    if status == "suggested":
        look.done.suggested += 1
    else:
        look.done.detected += 1


def _expire(look: _Look, patterns: Iterable[Row]) -> None:
    """Close what its user does no more, or not with mail of late."""
    gone = {"status": "expired", "last_analyzed_at": look.now}
    look.done.expired = sum(changed(pattern, gone, look.now) for pattern in patterns)
