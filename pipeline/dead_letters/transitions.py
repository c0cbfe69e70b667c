"""What a person does to a letter, each step by compare-and-set: of two, one gets it.

open ── claim ──▶ replaying ── the job completes ──▶ replayed
  │                   │
  │                   └─ the job dies again ──▶ open
  └──── dismiss ──▶ dismissed
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from models import DeadLetter
from pipeline.config import settings
from pipeline.stores import Row, collection


def claim(letter_id: str, by: str) -> str | None:
    """Begin a replay; return its token, or None if the letter is not open (any more)."""
    token = f"replay:{letter_id}:{secrets.token_hex(8)}"
    claimed = collection(DeadLetter).update_one(
        {"_id": letter_id, "status": "open"},
        {
            "$set": {"status": "replaying", "replay_token": token, **_acted(by)},
            "$inc": {"replays": 1},
        },
    )
    return token if claimed.modified_count else None


def note_run(letter_id: str, token: str, message_id: str) -> None:
    """Note the run that a replay became."""
    _change(letter_id, token, {"$set": {"replay_message_id": message_id}})


def close(letter_id: str, token: str) -> None:
    """End a replay whose job has completed."""
    _change(letter_id, token, {"$set": {"status": "replayed", **_expiry()}})


def reopen(letter_id: str, token: str) -> None:
    """End a replay that has not helped; nothing changes if its death was counted already."""
    forgotten = {"replay_token": "", "replay_message_id": ""}
    _change(letter_id, token, {"$set": {"status": "open"}, "$unset": forgotten})


def dismiss(query: Row, by: str, reason: str) -> int:
    """Dismiss the open letters among those of `query`; return how many they were."""
    done = collection(DeadLetter).update_many(
        query | {"status": "open"},
        {"$set": {"status": "dismissed", "dismiss_reason": reason, **_acted(by), **_expiry()}},
    )
    return done.modified_count


def _change(letter_id: str, token: str, update: dict[str, Any]) -> None:
    collection(DeadLetter).update_one(
        {"_id": letter_id, "status": "replaying", "replay_token": token}, update
    )


def _acted(by: str) -> Row:
    return {"acted_by": by, "acted_at": datetime.now(UTC)}


def _expiry() -> Row:
    kept = timedelta(days=settings().dead_letter_retention_days)
    return {"expires_at": datetime.now(UTC) + kept}
