"""What `headrace up --demo` asks of AI and mails, made in real stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from models import AiRequest, EmailDelivery, Record, SyncState, User
from models.record import record_id
from models.user import DEFAULT_TENANT
from pipeline.cli.up import demo_platform
from pipeline.platform import ai
from pipeline.stores import collection

_USER = "user0001"


def _mail(item_id: str, thread: str, text: str) -> None:
    stream = "messages"
    collection(Record).insert_one(
        {
            "_id": record_id(_USER, "google_gmail", stream, item_id),
            "user_id": _USER,
            "source": "google_gmail",
            "stream": stream,
            "item_id": item_id,
            "item": {
                "threadId": thread,
                "snippet": text,
                "internalDate": "1796100000000",
                "payload": {"headers": [{"name": "Subject", "value": "Invoice"}]},
            },
            "generation": 1,
            "seq": int(item_id[1:]),
            "landed_at": datetime.now(UTC),
            "deleted_at": None,
        }
    )


def test_the_longest_thread_is_summarized_and_categorized_once(
    stores: None, setting: Callable[..., None]
) -> None:
    setting(PUBLIC_BASE_URL="http://localhost:8000")
    now = datetime.now(UTC)
    user = {"_id": _USER, "tenant_id": DEFAULT_TENANT, "created_at": now, "email": "a@b.example"}
    collection(User).insert_one(user)
    assert not demo_platform.is_ready(_USER)
    for source in ("google_gmail", "google_calendar"):
        collection(SyncState).insert_one({"user_id": _USER, "source": source, "fresh_as_of": now})
    assert demo_platform.is_ready(_USER)
    assert demo_platform.ask(_USER) is None
    _mail("m1", "t1", "One mail alone.")
    _mail("m2", "t2", "The invoice of October is due on Friday, please pay it.")
    _mail("m3", "t2", "It was paid today by bank transfer, thank you for the reminder.")
    for _ in range(2):
        assert "/admin/ai" in (demo_platform.ask(_USER) or "")
    rows = list(collection(AiRequest).find())
    assert sorted(row["type"] for row in rows) == ["categorize", "generate-summary"]
    assert {row["entity"]["id"] for row in rows} == {"google_gmail:t2"}
    for row in rows:
        ai.run(row["_id"])
    done = {row["type"]: row["result"] for row in collection(AiRequest).find()}
    assert done["generate-summary"]["summary"]
    assert done["categorize"]["suggestions"]
    assert not demo_platform.mail_digest(_USER)
    assert collection(EmailDelivery).count_documents({}) == 0
