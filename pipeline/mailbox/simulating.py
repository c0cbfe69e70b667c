"""What a rule would have met, looked up in the mail that has arrived; nothing is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from models import EmailEvent, Record
from models.record import record_id
from pipeline.config import settings
from pipeline.errors import Gone
from pipeline.mailbox import guards, mailboxes
from pipeline.mailbox.folders import SOURCE
from pipeline.mailbox.rule_content import conditions_of
from pipeline.refusals import Refused, validated
from pipeline.stores import Row, collection
from pipeline.words import counted

#: How many of the newest mails are shown.
SHOWN = 50
MOST_DAYS = 365
_BATCH = 500
_SHOWN_FIELDS = ("message_id", "timestamp", "sender", "subject", "to_folder", "is_read")


@dataclass(slots=True)
class Simulated:
    """What conditions would have met in so many days up to now.

    `newest` are the newest arrivals, as events.  `daily` counts them by the day (UTC) on which
    they arrived; days without any are left out.  `unknown` says, in words, what this cannot know.
    """

    days: int
    count: int = 0
    newest: list[Row] = field(default_factory=list)
    daily: Counter[date] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)


def simulate(user_id: str, conditions: Mapping[str, Any], days: int) -> Simulated:
    """Return which arrivals of the last `days` in a user's mailbox `conditions` would have met.

    Mail of whitelisted senders is left out: no rule meets it.  Raises Refused for conditions
    that no rule may have, Gone if the user has no mailbox.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Refused("days", f"expected 1 to {MOST_DAYS}")
    wanted = validated(conditions_of(conditions), "conditions.")
    mailbox = mailboxes.of_user(user_id)
    if mailbox is None:
        raise Gone("the user has no mailbox")
    found, unread, spared = Simulated(days), 0, 0
    policy = guards.policy_of(str(mailbox["tenant_id"]))
    now = datetime.now(UTC)
    for batch in _batches(_arrivals(mailbox, wanted, now - timedelta(days=days))):
        texts = _texts(user_id, batch) if wanted.get("body_contains") else {}
        for event in batch:
            if not _is_within(wanted.get("subject_contains"), event.get("subject")):
                continue
            if guards.whitelisted(mailbox, policy, (event.get("sender") or {}).get("email") or ""):
                spared += 1
            elif wanted.get("body_contains") and event["message_id"] not in texts:
                unread += 1
            elif _is_within(wanted.get("body_contains"), texts.get(event["message_id"])):
                _count(found, event)
    found.unknown = _unknown(days, unread, spared)
    return found


def _count(found: Simulated, event: Row) -> None:
    found.count += 1
    found.daily[event["timestamp"].date()] += 1
    if len(found.newest) < SHOWN:
        found.newest.append(event)


def _arrivals(mailbox: Row, wanted: Row, since: datetime) -> Iterator[Row]:
    """Yield the arrivals that meet what MongoDB can tell, newest first."""
    query: Row = {
        "user_id": mailbox["user_id"],
        "mailbox_id": mailbox["_id"],
        "event_type": "arrived",
        "timestamp": {"$gte": since},
    }
    if wanted.get("sender_email"):
        query["sender.email"] = {"$in": wanted["sender_email"]}
    if wanted.get("sender_domain"):
        query["sender.domain"] = wanted["sender_domain"]
    if wanted.get("from_folder"):
        query["to_folder"] = wanted["from_folder"]
    fields = dict.fromkeys(_SHOWN_FIELDS, 1)
    with collection(EmailEvent).find(query, fields).sort("timestamp", -1) as cursor:
        yield from cursor


def _batches(events: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(events, _BATCH)):
        yield batch


def _texts(user_id: str, events: Sequence[Row]) -> dict[str, str]:
    """Return the beginnings of mails' texts, by mail, as far as they are kept."""
    ids = [record_id(user_id, SOURCE, "messages", event["message_id"]) for event in events]
    rows = collection(Record).find(
        {"_id": {"$in": ids}, "deleted_at": None}, {"item_id": 1, "item.bodyPreview": 1}
    )
    return {row["item_id"]: str((row["item"] or {}).get("bodyPreview") or "") for row in rows}


def _is_within(wanted: str | None, text: str | None) -> bool:
    return not wanted or wanted.casefold() in (text or "").casefold()


def _unknown(days: int, unread: int, spared: int) -> list[str]:
    told = []
    if unread:
        told.append(f"The text of {counted(unread, 'mail')} is not kept any more.")
    if spared:
        told.append(f"{counted(spared, 'mail')} of whitelisted senders would be left alone.")
    if days > settings().email_event_retention_days:
        kept = f"{settings().email_event_retention_days:g}"
        told.append(f"Events may be kept for {kept} days only; what is older is not known.")
    return told
