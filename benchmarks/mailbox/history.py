"""A mailbox with a past: mail of many senders, and what their reader did with it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from models import DEFAULT_TENANT, EmailEvent, Mailbox, Notification, Pattern, User
from pipeline.stores import Row, collection

USER, MAILBOX = "bench-reader", "bench-mailbox"
SENDERS = 1500
_DAYS = 85
_BATCH = 5000
#: What is done with the mail of a sender: each of these for a share of them.
_HABITS = ("deleted",) * 3 + ("moved",) * 2 + ("read",) * 2 + ("nothing",) * 5


def fill(events: int) -> None:
    """Make a mailbox with so many events in the last _DAYS.  The same each time."""
    now = datetime.now(UTC)
    wipe()
    since = {"created_at": now, "updated_at": now}
    collection(User).insert_one({"_id": USER, "tenant_id": DEFAULT_TENANT} | since)
    mailbox = {"_id": MAILBOX, "user_id": USER, "tenant_id": DEFAULT_TENANT, "is_connected": True}
    mailbox |= {"email": "reader@bench.example", "watched_from": now - timedelta(days=_DAYS)}
    collection(Mailbox).insert_one(mailbox | since)
    rows = islice(_events(now), events)
    while batch := list(islice(rows, _BATCH)):
        collection(EmailEvent).insert_many(batch, ordered=False)


def wipe() -> None:
    """Forget the mailbox and all that was found in it."""
    for model in (EmailEvent, Pattern, Notification, Mailbox):
        collection(model).delete_many({"user_id": USER})
    collection(User).delete_one({"_id": USER})


def forget_patterns() -> None:
    """Have the next analysis be the first."""
    for model in (Pattern, Notification):
        collection(model).delete_many({"user_id": USER})


def _events(now: datetime) -> Iterator[Row]:
    """Yield events without end, in the order in which they happened to each mail."""
    chance = random.Random(7)
    number = 0
    while True:
        number += 1
        sender = int(SENDERS * chance.random() ** 2)  # some write far more than others
        arrived = now - timedelta(days=1 + chance.random() * (_DAYS - 1))
        habit = _HABITS[sender % len(_HABITS)]
        acts = [("arrived", "inbox", 0.0)]
        if habit != "nothing" and chance.random() < 0.97:
            acts.append(("read", "inbox", chance.uniform(10, 800)))
            if habit != "read":
                acts.append((habit, "deleted" if habit == "deleted" else "filed", 1000.0))
        elif chance.random() < 0.5:
            acts.append(("read", "inbox", chance.uniform(3600, 80_000)))
        # As immutable ids are: long, and not in the order of time.
        message_id = f"AAkALgAAAAAAHYQDEapmEc2byACqAC{chance.getrandbits(128):032x}"
        for stamp, (kind, folder, seconds) in enumerate(acts, number * 10):
            at = arrived + timedelta(seconds=seconds)
            yield _event(message_id, sender, kind, folder, arrived, at, stamp, now)


def _event(
    message_id: str,
    sender: int,
    kind: str,
    folder: str,
    arrived: datetime,
    at: datetime,
    stamp: int,
    now: datetime,
) -> dict[str, Any]:
    domain = f"company-{sender % 400}.example"
    return {
        "user_id": USER,
        "mailbox_id": MAILBOX,
        "message_id": message_id,
        "internet_message_id": f"<{message_id[-32:]}@{domain}>",
        "event_type": kind,
        "change_stamp": stamp,
        "timestamp": at,
        "sender": {
            "name": f"Sender {sender}",
            "email": f"sender-{sender}@{domain}",
            "domain": domain,
        },
        "subject": f"What there is to tell this week, number {stamp}",
        "subject_normalized": "what there is to tell this week, number <number>",
        "conversation_id": f"AAQkADk{message_id[-32:]}",
        "from_folder": None if kind == "arrived" else "inbox",
        "to_folder": folder,
        "received_at": arrived,
        "time_to_action": (at - arrived).total_seconds(),
        "importance": "normal",
        "has_attachments": False,
        "is_read": kind == "read",
        "is_deleted": False,
        "categories": [],
        "metadata": {"has_list_unsubscribe": True, "is_newsletter": True, "is_automated": False},
        "created_at": at,
        "updated_at": at,
        "expires_at": now + timedelta(days=90),
    }
