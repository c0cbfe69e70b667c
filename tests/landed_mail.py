"""A mailbox whose mail lands without a provider: rows as the engine would write them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from mail_items import FOLDERS, mail_item

from models import EmailEvent, Mailbox, Record, SyncState, User
from models.record import record_id
from pipeline.stores import Row, collection

SOURCE = "microsoft_mail"
WATCHED_FROM = datetime(2026, 3, 1, tzinfo=UTC)


class LandedMail:
    """One user with one connected mailbox, `watched_from` 1 March 2026, and its folders."""

    def __init__(self, user_id: str = "ada", tenant_id: str = "acme") -> None:
        self.user_id = user_id
        self.mailbox_id = f"mb-{user_id}"
        self.seq = 0
        now = datetime.now(UTC)
        collection(User).insert_one({"_id": user_id, "tenant_id": tenant_id, "created_at": now})
        collection(Mailbox).insert_one(
            {
                "_id": self.mailbox_id,
                "user_id": user_id,
                "tenant_id": tenant_id,
                "email": f"{user_id}@acme.example",
                "is_connected": True,
                "settings": {},
                "watched_from": WATCHED_FROM,
                "created_at": now,
                "updated_at": now,
            }
        )
        collection(SyncState).insert_one(
            {
                "user_id": user_id,
                "tenant_id": tenant_id,
                "source": SOURCE,
                "mailbox_id": self.mailbox_id,
                "status": "idle",
                "seq": 0,
                "projections": {},
            }
        )
        self._write([("folders", item["id"], item) for item in FOLDERS])

    def land(self, *items: Row) -> None:
        """Land mails, new ones or changed ones."""
        self._write([(f"messages/{i['parentFolderId']}", i["id"], i) for i in items])

    def change(self, message_id: str = "m1", **fields: Any) -> None:
        """Land a mail of `mail_item` as it is with other fields, changed a minute later."""
        later = {"lastModifiedDateTime": "2026-03-02T08:10:00Z"}
        self.land(mail_item(message_id, **later | fields))

    def gone(self, *message_ids: str) -> None:
        """Land that mails are there no more."""
        self._write([("messages/x", message_id, None) for message_id in message_ids])

    def events(self, *types: str) -> list[Row]:
        """Return the mailbox's events in the order in which they came, of all types or some."""
        wanted: Row = {"mailbox_id": self.mailbox_id}
        wanted |= {"event_type": {"$in": list(types)}} if types else {}
        return list(collection(EmailEvent).find(wanted).sort([("change_stamp", 1), ("_id", 1)]))

    def told(self) -> list[tuple[str, str]]:
        """Return mail and type of every event, in order."""
        return [(row["message_id"], row["event_type"]) for row in self.events()]

    def _write(self, rows: Iterable[tuple[str, str, Row | None]]) -> None:
        now = datetime.now(UTC)
        for stream, item_id, item in rows:
            self.seq += 1
            space = stream.partition("/")[0]
            content = {
                "user_id": self.user_id,
                "source": SOURCE,
                "stream": stream,
                "item_id": item_id,
                "item": item,
                "generation": 1,
                "seq": self.seq,
                "landed_at": now,
                "deleted_at": None if item else now,
            }
            row_id = record_id(self.user_id, SOURCE, space, item_id)
            collection(Record).update_one({"_id": row_id}, {"$set": content}, upsert=True)
        collection(SyncState).update_one(
            {"user_id": self.user_id, "source": SOURCE},
            {"$set": {"seq": self.seq, "projections.mailbox.due_at": now}},
        )
