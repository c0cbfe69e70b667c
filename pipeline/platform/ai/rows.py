"""Requests in the store: each once, claimed by one job at a time, written only by who has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from models import AiRequest
from pipeline.config import settings
from pipeline.errors import Gone, HeadraceError, LeaseLost
from pipeline.heartbeat import Heartbeat
from pipeline.platform.ai.tasks import Task
from pipeline.stores import Row, collection

_OVER = ("done", "replaced")


def keep(task: Task, by: str) -> Row:
    """Return the row of a request, made if it is not there.

    One that has failed is asked again; so is one that was replaced, for its content is back.
    """
    now = datetime.now(UTC)
    rows = collection(AiRequest)
    rows.update_one({"_id": task.key}, {"$setOnInsert": _new(task, by, now)}, upsert=True)
    # A text that is not kept any more was given anew.
    return again(task.key, ("failed", "replaced"), _text_of(task, now))


def again(request_id: str, statuses: Sequence[str], also: Row | None = None) -> Row:
    """Return the row of a request; one with such a status waits again, with `also` set.

    Raises Gone if there is none.
    """
    now = datetime.now(UTC)
    fresh = {"status": "queued", "attempts": 0, "updated_at": now, "look_at": _soon(now)}
    rows = collection(AiRequest)
    rows.update_one(
        {"_id": request_id, "status": {"$in": list(statuses)}},
        {
            "$set": fresh | (also or {}),
            "$unset": {"error": "", "done_at": "", "replaced_by": ""},
        },
    )
    row = rows.find_one({"_id": request_id})
    if row is None:
        raise Gone("there is no such request, or not any more")
    return row


def claim(request_id: str) -> Row | None:
    """Take a request to work on it; None if it is over.

    One that has failed is tried again: that is what running its job once more means.
    Raises Gone if there is none, LeaseLost if another job has it.
    """
    dead = {"status": "running", "$expr": {"$lte": ["$lease_until", "$$NOW"]}}
    wanted = {"_id": request_id, "$or": [{"status": {"$in": ["queued", "failed"]}}, dead]}
    failed: Row = {"$eq": ["$status", "failed"]}
    taken = {
        "status": "running",
        "fence": {"$add": ["$fence", 1]},
        "attempts": {"$cond": [failed, 1, {"$add": ["$attempts", 1]}]},
        "lease_until": _lease_end(),
        "look_at": _lease_end(),
        "updated_at": "$$NOW",
    }
    rows = collection(AiRequest)
    row = rows.find_one_and_update(wanted, [{"$set": taken}], return_document=ReturnDocument.AFTER)
    if row is not None:
        return row
    there = rows.find_one({"_id": request_id}, {"status": 1})
    if there is None:
        raise Gone("there is no such request")
    if there["status"] in _OVER:
        return None
    raise LeaseLost("another job is at this request")


def heartbeat(row: Row) -> Heartbeat:
    """Return what keeps a claim alive while its holder works."""

    def beat() -> bool:
        again = {"lease_until": _lease_end(), "look_at": _lease_end()}
        try:
            return bool(
                collection(AiRequest).update_one(_mine(row), [{"$set": again}]).matched_count
            )
        except PyMongoError:
            return True  # the next beat may get through; without one, the lease runs out

    return Heartbeat("ai-heartbeat", settings().lease_seconds / 3, beat)


def done(row: Row, result: Row, **also: Any) -> None:
    """Write the result.  Raises LeaseLost if another job has taken over."""
    now = datetime.now(UTC)
    _write(row, {"status": "done", "result": result, "done_at": now} | also, now)


def replaced(row: Row, by_id: str) -> None:
    """Write that another request is about what is there now.  Raises LeaseLost."""
    now = datetime.now(UTC)
    _write(row, {"status": "replaced", "replaced_by": by_id, "done_at": now}, now)


def failed(row: Row, error: BaseException) -> None:
    """Write that the request has failed, and why.  Raises LeaseLost."""
    now = datetime.now(UTC)
    _write(row, {"status": "failed", "error": _told(error), "done_at": now}, now)


def put_back(
    row: Row, error: BaseException, *, wait_seconds: float = 0, free: bool = False
) -> None:
    """Let a request wait again; `free` gives the attempt back.  Raises LeaseLost."""
    now = datetime.now(UTC)
    look_at = _soon(now) + timedelta(seconds=wait_seconds)
    also = {"status": "queued", "error": _told(error), "look_at": look_at}
    also["attempts"] = row["attempts"] - 1 if free else row["attempts"]
    _write(row, also, now, open_=True)


def _new(task: Task, by: str, now: datetime) -> Row:
    entity = task.entity
    row: Row = {
        "tenant_id": entity.tenant_id,
        "type": task.kind.name,
        "entity": {"kind": entity.kind, "id": entity.id},
        "options": task.stored_options,
        "content_hash": task.content_hash,
        "status": "queued",
        "provider": task.choice.provider,
        "model": task.choice.model,
        "prompt_version": task.choice.prompt_version,
        "tokens_in": 0,
        "tokens_out": 0,
        "tokens_cached": 0,
        "cost_microusd": 0,
        "attempts": 0,
        "fence": 0,
        "look_at": _soon(now),
        "requested_by": by,
        "created_at": now,
        "updated_at": now,
        "expires_at": now + timedelta(days=settings().ai_retention_days),
    }
    if entity.user_id is not None:
        row["user_id"] = entity.user_id
    return row | _text_of(task, now)


def _text_of(task: Task, now: datetime) -> Row:
    if task.entity.kind != "text":
        return {}
    until = now + timedelta(days=settings().ai_text_retention_days)
    return {"content": task.content.text, "content_until": until}


def _write(row: Row, fresh: Row, now: datetime, *, open_: bool = False) -> None:
    gone = dict.fromkeys(("lease_until",) if open_ else ("lease_until", "look_at"), "")
    if "error" not in fresh:
        gone["error"] = ""
    update = {"$set": fresh | {"updated_at": now}, "$unset": gone}
    if not collection(AiRequest).update_one(_mine(row), update).matched_count:
        raise LeaseLost("another job has taken this request over, or it was deleted")


def _mine(row: Row) -> Row:
    return {"_id": row["_id"], "fence": row["fence"], "status": "running"}


def _lease_end() -> Row:
    milliseconds = int(settings().lease_seconds * 1000)
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}


def _soon(now: datetime) -> datetime:
    """Return when a request whose job has not begun is queued again."""
    return now + timedelta(seconds=settings().requeue_after_seconds)


def _told(error: BaseException) -> Row:
    """Return what may be said of an error: texts of others' may hold what was sent."""
    ours = isinstance(error, HeadraceError)
    return {"class": type(error).__name__, "message": str(error)[:500] if ours else ""}
