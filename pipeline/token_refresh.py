"""Keeping grants alive that end when nobody uses them: Microsoft's.

Whoever stores tokens says when they are looked at again (`refresh_due_at`), so a sync
that has renewed them puts that off.  A grant that was found dead, by whomever, is due
at once: then its sources wait and its user is told, also if the finder died meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bson import ObjectId

from models import Connection, SyncState, User
from pipeline import dispatch
from pipeline.clients.microsoft_credentials import MicrosoftCredentials
from pipeline.config import settings
from pipeline.errors import HeadraceError, RateLimited, ReauthRequired
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.mailbox import mailboxes
from pipeline.queues import TOKEN_REFRESH
from pipeline.sources import sources_of
from pipeline.stores import Row, collection
from pipeline.sync import due, reauth
from pipeline.words import counted

#: Between two ticks nobody looks; a token that ends by then is renewed now.
_MARGIN = timedelta(minutes=10)


def queue_due() -> str:
    """Send a job for every grant that is due, longest due first; return how many, in words."""
    room = settings().dispatch_high_water - depth(TOKEN_REFRESH.name).waiting
    if room <= 0:
        return "enough wait already"
    wanted = {"refresh_due_at": {"$lte": datetime.now(UTC)}}
    found = collection(Connection).find(wanted, {"_id": 1}).sort("refresh_due_at", 1).limit(room)
    # No due time moves here: a job that waits or runs is not queued again.
    sent = dispatch.send_many(Send("refresh_token", (str(row["_id"]),)) for row in found)
    queued = sum(one.created for one in sent)
    return f"{queued:,} queued, {len(sent) - queued:,} queued before"


def refresh(connection_id: str) -> str:
    """Renew a grant's token if it ends before the next look; return what was done, in words.

    Safe to run twice.  Raises Transient, RateLimited or Misconfigured, once the next
    look is put off.
    """
    connection = collection(Connection).find_one({"_id": ObjectId(connection_id)})
    now = datetime.now(UTC)
    if connection is None or not _is_due(connection, now):
        return "not due any more"
    if connection["status"] != "active":
        return _give_up(connection)
    if _rests(connection["user_id"]):
        _put_off(connection, _next_look(now))
        return "its user or its source is paused"
    try:
        return _refresh(connection, now)
    except ReauthRequired:
        # The credentials have marked it, with the reason for its user.
        return _give_up(collection(Connection).find_one({"_id": connection["_id"]}) or connection)
    except HeadraceError as error:
        _put_off_after(error, connection, now)
        raise


def _refresh(connection: Row, now: datetime) -> str:
    ends_at = connection.get("token_expires_at")
    if ends_at is not None and ends_at > _next_look(now) + _MARGIN:
        _put_off(connection, _next_look(now))
        return "its token lasts beyond the next look"
    credentials = MicrosoftCredentials(connection)
    credentials.renew()
    minutes = round((credentials.ends_at - now).total_seconds() / 60)
    return f"renewed, for {counted(minutes, 'minute')}"


def _give_up(connection: Row) -> str:
    """Let the sources of a dead grant wait, tell its user, and look no more."""
    if connection["status"] in ("needs_reauth", "broken"):
        user_id = connection["user_id"]
        reason = str(connection.get("status_reason") or "consent was lost")
        reauth.wait_for_user(user_id, sources_of(connection["provider"]), reason)
        mailboxes.lost(user_id, reason)
    _same(connection, {"$unset": {"refresh_due_at": ""}})
    return f"given up: {connection['status']}"


def _rests(user_id: str) -> bool:
    """Whether nothing is asked of the provider for this user just now, on purpose."""
    user: Row = collection(User).find_one({"_id": user_id}, {"is_active": 1}) or {}
    paused = {"user_id": user_id, "source": "microsoft_mail", "status": "paused"}
    return user.get("is_active") is False or bool(collection(SyncState).find_one(paused))


def _is_due(connection: Row, now: datetime) -> bool:
    due_at = connection.get("refresh_due_at")
    return due_at is not None and due_at <= now


def _next_look(now: datetime) -> datetime:
    return now + timedelta(minutes=settings().microsoft_token_refresh_minutes)


def _put_off_after(error: HeadraceError, connection: Row, now: datetime) -> None:
    failures = int(connection.get("refresh_failures") or 0) + 1
    pause = due.backoff(failures)
    if isinstance(error, RateLimited):
        pause = max(pause, timedelta(seconds=error.retry_after_seconds))
    _same(connection, {"$set": {"refresh_due_at": now + pause, "refresh_failures": failures}})


def _put_off(connection: Row, until: datetime) -> None:
    _same(connection, {"$set": {"refresh_due_at": until}})


def _same(connection: Row, update: Row) -> None:
    """Change a connection, unless its tokens were replaced since it was read."""
    same = {name: connection[name] for name in ("_id", "version", "status")}
    collection(Connection).update_one(same, update)
