"""Users and landed items that AI is asked about."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mail_items import mail_item

from models import AiRequest, AiUsage, Record, User
from models.record import record_id
from pipeline.platform import ai
from pipeline.stores import Row, collection

BY = "tester"
#: Enough sentences for a summary to leave some out.
LETTER = (
    "The invoice 4711 for the new printers is due on Friday. "
    "Please pay the invoice of 300 EUR to our bank account. "
    "The weather was fine on the way to the office. "
    "If the invoice is paid late, the bank charges a fee. "
    "My cat has learnt to open doors. "
    "The payment of the invoice can be made by bank transfer only."
)
_numbers = itertools.count()


def new_user(tenant_id: str | None = None) -> tuple[str, str]:
    """Insert a user; return tenant and user, of names that no other test has."""
    number = next(_numbers)
    tenant_id = tenant_id or f"tenant-{number}"
    user_id = f"user-{number}"
    row = {"_id": user_id, "tenant_id": tenant_id, "created_at": datetime.now(UTC)}
    collection(User).insert_one(row)
    return tenant_id, user_id


def land(user_id: str, source: str, stream: str, item_id: str, item: Mapping[str, Any]) -> str:
    """Land an item, or a newer version of it; return the id of its record."""
    space = stream.partition("/")[0] if source == "microsoft_mail" else stream
    row_id = record_id(user_id, source, space, item_id)
    where = {"user_id": user_id, "source": source, "stream": stream, "item_id": item_id}
    now = datetime.now(UTC)
    fresh = {"item": dict(item), "generation": 1, "landed_at": now, "seq": next(_numbers)}
    collection(Record).update_one(
        {"_id": row_id}, {"$set": where | fresh, "$unset": {"deleted_at": ""}}, upsert=True
    )
    return row_id.hex()


def land_mail(user_id: str, message_id: str = "m1", **fields: Any) -> str:
    """Land a Microsoft mail; return the id of its record."""
    item = mail_item(message_id, **fields)
    stream = f"messages/{item['parentFolderId']}"
    return land(user_id, "microsoft_mail", stream, message_id, item)


def delete(record: str) -> None:
    """Land that a record's item is there no more."""
    gone = {"$set": {"deleted_at": datetime.now(UTC), "item": None}}
    collection(Record).update_one({"_id": bytes.fromhex(record)}, gone)


def ask_text(
    tenant_id: str, type_name: str = "generate-summary", text: str = LETTER, **more: Any
) -> Row:
    """Submit a text."""
    return ai.ask(tenant_id, type_name, content=text, by=BY, **more)


def done(row: Row) -> Row:
    """Run the job of a request; return its row then."""
    ai.run(row["_id"])
    return stored(row)


def stored(row: Row) -> Row:
    """Return the row of a request as it is now."""
    found = collection(AiRequest).find_one({"_id": row["_id"]})
    assert found is not None
    return found


def calls(row: Row) -> list[Row]:
    """Return what stands in the ledger of a request, oldest first."""
    return list(collection(AiUsage).find({"request_id": row["_id"]}).sort("at"))
