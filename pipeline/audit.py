"""The audit: who did what, on what, and what came of it.

A row is written before the act, so that nothing is done that nobody can find: if
it cannot be written, the act is refused.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pymongo
from bson import ObjectId
from bson.errors import InvalidId
from pymongo.errors import PyMongoError

from models import AuditLog
from pipeline.config import settings
from pipeline.errors import Gone, Permanent, RateLimited, Transient
from pipeline.stores import Row, collection

logger = logging.getLogger(__name__)

Origin = Literal["web", "api", "cli"]
Outcome = Literal["started", "done", "refused", "failed"]

#: Errors that say no to the act, as against those that got in its way.
_REFUSALS = (Permanent, Gone, RateLimited)
#: How long an act waits for its row.
_PATIENCE_SECONDS = 5.0
_MOST_CHARACTERS = 500


@dataclass(slots=True)
class Entry:
    """One row.  `details` may be added to while the act goes on."""

    actor: str
    action: str
    target: str = ""
    role: str = ""
    origin: Origin = "web"
    correlation_id: str = field(default_factory=lambda: secrets.token_hex(8))
    details: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome = "started"
    error: str = ""
    id: ObjectId = field(default_factory=ObjectId)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None

    @property
    def cursor(self) -> str:
        """What `entries(before=…)` takes to go on after this row."""
        return f"{round(self.at.timestamp() * 1000)}-{self.id}"


#: The row of the act that is going on.
_under_way: ContextVar[Entry | None] = ContextVar("headrace_audit_entry", default=None)


@contextmanager
def audited(
    actor: str,
    action: str,
    target: str = "",
    *,
    role: str = "",
    origin: Origin = "web",
    correlation_id: str = "",
    **details: Any,
) -> Iterator[Entry]:
    """Write a row, let the body act, and note what came of it.

    An error of the body is noted by its class and passes through: `refused` if it
    is Permanent, Gone or RateLimited, else `failed`.  Raises Transient, before
    anything is done, if the row cannot be written.
    """
    entry = Entry(actor, action, target, role, origin, details=details)
    entry.correlation_id = correlation_id or entry.correlation_id
    _begin(entry)
    token = _under_way.set(entry)
    try:
        yield entry
    except BaseException as error:
        _end(entry, "refused" if isinstance(error, _REFUSALS) else "failed", error)
        raise
    finally:
        _under_way.reset(token)
    _end(entry, "done")


@contextmanager
def noted(actor: str, action: str, target: str, **details: Any) -> Iterator[Entry]:
    """Write the row of an act, unless whoever asked for it has begun one: that gets the details.

    For what is audited however it is reached.  Raises as `audited` does.
    """
    entry = _under_way.get()
    if entry is None:
        with audited(actor, action, target, origin="cli", **details) as entry:
            yield entry
    else:
        entry.details = details | entry.details
        yield entry


def record(
    actor: str,
    action: str,
    target: str = "",
    *,
    outcome: Outcome = "done",
    role: str = "",
    origin: Origin = "web",
    **details: Any,
) -> bool:
    """Write the row of something that is over, such as a sign-in.

    Returns whether it could be written; if not, the log has it.
    """
    entry = Entry(actor, action, target, role, origin, details=details, outcome=outcome)
    entry.ended_at = entry.at
    try:
        _insert(entry)
    except (PyMongoError, Transient):
        logger.exception("audit row lost", extra={"action": action, "outcome": outcome})
        return False
    return True


def entries(
    limit: int = 50,
    *,
    before: str = "",
    actor: str = "",
    action: str = "",
    target: str = "",
    outcome: str = "",
) -> list[Entry]:
    """Return the newest rows that match, newest first, `before` a row's cursor.

    Raises ValueError for a cursor that is none.
    """
    wanted = {"actor": actor, "action": action, "target": target, "outcome": outcome}
    query: Row = {name: value for name, value in wanted.items() if value}
    if before:
        query |= _older_than(before)
    rows = collection(AuditLog).find(query).sort([("at", -1), ("_id", -1)]).limit(limit)
    return [_entry(row) for row in rows]


def known(name: Literal["actor", "action"]) -> list[str]:
    """Return the values of `name` that some row has, for a person to choose from."""
    return sorted(collection(AuditLog).distinct(name))


def _begin(entry: Entry) -> None:
    try:
        _insert(entry)
    except PyMongoError as error:
        logger.warning("act refused: no audit row", extra={"reason": type(error).__name__})
        raise Transient(
            "MongoDB does not answer, so this cannot be written to the audit; nothing was done"
        ) from None


def _insert(entry: Entry) -> None:
    kept = timedelta(days=settings().audit_retention_days)
    row = {
        "_id": entry.id,
        "at": entry.at,
        "ended_at": entry.ended_at,
        "actor": entry.actor,
        "role": entry.role,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "details": _scalars(entry.details),
        "origin": entry.origin,
        "correlation_id": entry.correlation_id,
        "expires_at": entry.at + kept,
    }
    with pymongo.timeout(_PATIENCE_SECONDS):
        collection(AuditLog).insert_one(row)


def _end(entry: Entry, outcome: Outcome, error: BaseException | None = None) -> None:
    entry.outcome, entry.ended_at = outcome, datetime.now(UTC)
    entry.error = type(error).__name__ if error else ""
    change = {
        "outcome": outcome,
        "error": entry.error,
        "ended_at": entry.ended_at,
        "details": _scalars(entry.details),
    }
    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            collection(AuditLog).update_one({"_id": entry.id}, {"$set": change})
    except (PyMongoError, Transient):
        # The act is done, and an error of its own must not be hidden: its row says `started`.
        logger.exception("audit row left open", extra={"action": entry.action, "outcome": outcome})


def _scalars(details: dict[str, Any]) -> Row:
    """Return what a row may hold: numbers and truth values as they are, the rest as short text."""
    kept = {}
    for name, value in details.items():
        plain = value is None or isinstance(value, bool | int | float | datetime)
        kept[name] = value if plain else str(value)[:_MOST_CHARACTERS]
    return kept


def _older_than(cursor: str) -> Row:
    milliseconds, _, row_id = cursor.partition("-")
    try:
        at, last = datetime.fromtimestamp(int(milliseconds) / 1000, UTC), ObjectId(row_id)
    except (ValueError, OverflowError, OSError, InvalidId):
        raise ValueError(f"{cursor[:60]!r} is not a place in the audit") from None
    return {"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": last}}]}


def _entry(row: Row) -> Entry:
    return Entry(
        actor=row["actor"],
        action=row["action"],
        target=row.get("target", ""),
        role=row.get("role", ""),
        origin=row["origin"],
        correlation_id=row["correlation_id"],
        details=row.get("details", {}),
        outcome=row["outcome"],
        error=row.get("error", ""),
        id=row["_id"],
        at=row["at"],
        ended_at=row.get("ended_at"),
    )
