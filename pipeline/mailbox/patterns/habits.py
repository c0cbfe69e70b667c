"""From what happened to the mail of one mailbox to the habits of its user.

Everything hangs on one set of mails: those that arrived while they were watched, that no rule
touched, and that are settled.  Each counts once, as what finally became of it: deleted, moved
somewhere, read at once and left where it was, or nothing of these.  So no mail counts for
two habits of a sender, and no sender has two that most of its mail follows.

Nothing here asks a store: everything is a function of its arguments.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from pipeline.mailbox.patterns.confidence import RECENT_DAYS, Tally, confidence
from pipeline.stores import Row

#: A habit that is less sure than this is none.
LEAST_CONFIDENCE = 50.0
#: A mail that lay for so long will not be acted upon any more.
SETTLED_AFTER = timedelta(hours=24)
#: A mail that is read so soon was read because of who sent it.
READ_AT_ONCE = timedelta(minutes=15)
MOST_EVIDENCE = 10


class Kind(NamedTuple):
    """What a habit is; `to_folder` is set for a move alone."""

    pattern_type: str
    action: str
    to_folder: str | None = None


DELETE = Kind("sender", "delete")
MARK_READ = Kind("sender", "mark_read")
ARCHIVE = Kind("folder-routing", "archive")


@dataclass(frozen=True, slots=True)
class Terms:
    """What to look for.

    Mail that comes straight into one of `sorted_folders` was put there by the provider or one of
    its rules: what became of it is nobody's habit.  Nor is what is moved to `staging_folder`.
    """

    now: datetime
    min_samples: int
    archive_folder: str | None = None
    staging_folder: str | None = None
    sorted_folders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Habit:
    """One that was found.

    `evidence` has the newest mails with which the user did so: message_id, timestamp, action.
    `first_seen_at` and `last_seen_at` are when the first and the last of the sender's mails came.
    """

    sender_email: str
    sender_domain: str | None
    kind: Kind
    tally: Tally
    confidence: float
    evidence: list[Row]
    first_seen_at: datetime
    last_seen_at: datetime


class _Mail(NamedTuple):
    """A mail that counts: `kind` is what became of it, at `acted_at`."""

    message_id: str
    email: str
    domain: str | None
    arrived_at: datetime
    kind: Kind | None
    acted_at: datetime


@dataclass(slots=True)
class _Acts:
    acted: int = 0
    recent: int = 0
    newest: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Sender:
    domain: str | None
    first_at: datetime
    last_at: datetime
    arrivals: int = 0
    recent: int = 0
    kinds: dict[Kind, _Acts] = field(default_factory=dict)


def habits(events: Iterable[Row], terms: Terms) -> list[Habit]:
    """Return what a user does with most mail of a sender.

    `events` are those of one mailbox within the window, all of a mail together; they are
    looked at one mail at a time, and of a mail no more is kept than that it counted.
    """
    senders = _senders(_mails(events, terms), terms)
    return [
        habit
        for email, sender in senders.items()
        if sender.arrivals >= terms.min_samples
        for habit in _of(email, sender)
    ]


def _mails(events: Iterable[Row], terms: Terms) -> Iterator[_Mail]:
    for message_id, own in groupby(events, key=lambda event: event["message_id"]):
        mail = _mail(message_id, sorted(own, key=_moment), terms)
        if mail is not None:
            yield mail


def _moment(event: Row) -> tuple[datetime, int]:
    """Return when it happened; numbers begin anew with a new copy, but tell apart what came
    in one look."""
    return event["timestamp"], event["change_stamp"]


def _mail(message_id: str, events: list[Row], terms: Terms) -> _Mail | None:
    """Return the mail whose events these are, in order, or None for one that does not count."""
    arrived = next((event for event in events if event["event_type"] == "arrived"), None)
    sender: Row = (arrived and arrived.get("sender")) or {}
    if arrived is None or not sender.get("email") or not _watched(arrived, events, terms):
        return None
    arrived_at = arrived["timestamp"]
    kind, acted_at = _became(events, arrived, terms)
    # What was only read may still be put away.
    if kind in (None, MARK_READ) and terms.now - arrived_at < SETTLED_AFTER:
        return None
    email, domain = sender["email"], sender.get("domain")
    return _Mail(message_id, email, domain, arrived_at, kind, acted_at)


def _watched(arrived: Row, events: list[Row], terms: Terms) -> bool:
    """Return whether all that was done to the mail was seen, and done by its user."""
    if arrived.get("to_folder") in terms.sorted_folders or _about(arrived, "found_at_start"):
        return False
    return not any(_about(event, "automated_by_rule") for event in events)


def _about(event: Row, name: str) -> object:
    return (event.get("metadata") or {}).get(name)


def _became(events: list[Row], arrived: Row, terms: Terms) -> tuple[Kind | None, datetime]:
    """Return what finally became of a mail, and when: what was moved back stayed."""
    kind, at = None, arrived["timestamp"]
    read_at = None
    for event in events:
        match event["event_type"]:
            case "deleted":
                kind, at = DELETE, event["timestamp"]
            case "moved":
                kind, at = _moved(event, arrived, terms), event["timestamp"]
            case "read":
                read_at = read_at or event["timestamp"]
    if kind is None and read_at and read_at - arrived["timestamp"] <= READ_AT_ONCE:
        touched = any(event["event_type"] in ("deleted", "moved") for event in events)
        return (None if touched else MARK_READ), read_at
    return kind, at


def _moved(event: Row, arrived: Row, terms: Terms) -> Kind | None:
    to_folder = event.get("to_folder")
    if to_folder in (None, arrived.get("to_folder"), terms.staging_folder):
        return None
    if to_folder == terms.archive_folder:
        return ARCHIVE
    return Kind("folder-routing", "move", to_folder)


def _senders(mails: Iterable[_Mail], terms: Terms) -> dict[str, _Sender]:
    recent_from = terms.now - timedelta(days=RECENT_DAYS)
    senders: dict[str, _Sender] = {}
    for mail in mails:
        sender = senders.get(mail.email)
        if sender is None:
            sender = _Sender(mail.domain, mail.arrived_at, mail.arrived_at)
            senders[mail.email] = sender
        sender.first_at = min(sender.first_at, mail.arrived_at)
        sender.last_at = max(sender.last_at, mail.arrived_at)
        recent = mail.arrived_at > recent_from
        sender.arrivals += 1
        sender.recent += recent
        if mail.kind is not None:
            acts = sender.kinds.setdefault(mail.kind, _Acts())
            acts.acted += 1
            acts.recent += recent
            _keep(acts.newest, (mail.acted_at, mail.message_id))
    return senders


def _keep(newest: list[tuple[datetime, str]], one: tuple[datetime, str]) -> None:
    if len(newest) < MOST_EVIDENCE:
        heapq.heappush(newest, one)
    else:
        heapq.heappushpop(newest, one)


def _of(email: str, sender: _Sender) -> Iterator[Habit]:
    for kind, acts in sender.kinds.items():
        tally = Tally(acts.acted, sender.arrivals, acts.recent, sender.recent)
        sure = confidence(tally)
        if sure >= LEAST_CONFIDENCE:
            evidence = [
                {"message_id": message_id, "timestamp": at, "action": kind.action}
                for at, message_id in sorted(acts.newest, reverse=True)
            ]
            yield Habit(
                email, sender.domain, kind, tally, sure, evidence, sender.first_at, sender.last_at
            )
