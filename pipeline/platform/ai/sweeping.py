"""Finding what has lost its job, and texts that are not to be kept any longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING

from models import AiRequest
from models.ai import AI_OPEN
from pipeline import dispatch
from pipeline.config import settings
from pipeline.jobs.sending import Send
from pipeline.stores import Row, collection
from pipeline.words import counted

#: Requests that are queued again in one tick; the rest is found by the next.
MOST_AT_ONCE = 1000


def find() -> str:
    """Queue requests whose job was lost, and drop texts whose time is over; say how many.

    Raises redis.RedisError.
    """
    now = datetime.now(UTC)
    lost: Row = {"status": {"$in": list(AI_OPEN)}, "look_at": {"$lte": now}}
    rows = collection(AiRequest)
    found = list(rows.find(lost, {"tenant_id": 1}).sort("look_at", ASCENDING).limit(MOST_AT_ONCE))
    sent = dispatch.send_many(
        [Send("run_ai", (row["_id"],), tenant_id=row["tenant_id"]) for row in found]
    )
    # What waits in a long line is looked for again, but not by every tick.
    later = now + timedelta(seconds=settings().requeue_after_seconds)
    ids = [row["_id"] for row in found]
    rows.update_many({"_id": {"$in": ids}, **lost}, {"$set": {"look_at": later}})
    dropped = _drop_texts(now)
    queued = sum(one.created for one in sent)
    return f"{counted(queued, 'request')} queued again, {counted(dropped, 'text')} dropped"


def _drop_texts(now: datetime) -> int:
    over: Row = {"content_until": {"$lte": now}}
    gone = {"$unset": {"content": "", "content_until": ""}}
    return collection(AiRequest).update_many(over, gone).modified_count
