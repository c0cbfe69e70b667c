"""What happened in a mailbox, and which mail it was."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models import EmailEvent, Rule
from pipeline.mailbox.reading.ids import object_id
from pipeline.places import Place
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of this type, from a sender of this domain, of this mail; empty: any."""

    event_type: str = ""
    domain: str = ""
    message_id: str = ""

    def query(self) -> Row:
        """Return what these are in MongoDB."""
        given = {
            "event_type": self.event_type,
            "sender.domain": self.domain.lower(),
            "message_id": self.message_id,
        }
        return {name: value for name, value in given.items() if value}


def events(mailbox: Row, wanted: Wanted, limit: int, before: Place | None = None) -> list[Row]:
    """Return the newest events of a mailbox that fit, newest first, behind a place."""
    query: Row = {"user_id": mailbox["user_id"], "mailbox_id": mailbox["_id"]} | wanted.query()
    if before is not None:
        query |= before.condition("timestamp")
    rows = collection(EmailEvent).find(query)
    return list(rows.sort([("timestamp", -1), ("_id", -1)]).limit(limit))


def newest_of(mailbox: Row, message_ids: Collection[str]) -> dict[str, Row]:
    """Return the newest event of each of these mails, which has its sender and subject."""
    query = {"mailbox_id": mailbox["_id"], "message_id": {"$in": list(message_ids)}}
    fields = dict.fromkeys(("message_id", "sender", "subject", "timestamp"), 1)
    rows = collection(EmailEvent).find(query, fields).sort("timestamp", 1)
    return {row["message_id"]: row for row in rows}


def rule_names(rule_ids: Collection[str]) -> dict[str, str]:
    """Return the names of these rules, by id; those that are deleted have none."""
    ids = [known for name in rule_ids if (known := object_id(name))]
    rows = collection(Rule).find({"_id": {"$in": ids}}, {"name": 1})
    return {str(row["_id"]): row["name"] for row in rows}
