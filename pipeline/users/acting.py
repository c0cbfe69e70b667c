"""What is done to a user's sources: sync now, try out, list anew, pause.

Everything may be repeated, and asked for by several people at once: a job that
waits or runs already is the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from models import DEFAULT_TENANT, SyncState, User
from pipeline import dispatch
from pipeline.errors import ReauthRequired
from pipeline.jobs import controls
from pipeline.stores import Row, collection
from pipeline.sync import erasures, inactive, states
from pipeline.sync.dry_run import DryRun
from pipeline.sync.dry_run import dry_run as engine_dry_run
from pipeline.sync.lanes import syncs_of
from pipeline.users.errors import NotNow, Unknown

__all__ = ["Asked", "DryRun", "dry_run", "pause", "resume", "resync", "sync_now", "tenant_of"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A sync that was asked for: its job, and whether that is a new one."""

    source: str
    message_id: str
    job_id: str
    created: bool


def sync_now(
    user_id: str, sources: Collection[str] | None = None, *, full: bool = False
) -> list[Asked]:
    """Make sources of a user due now, all of them by default, and queue their syncs.

    `full` gives up their cursors first: everything is listed anew.  Sources that
    wait for their user are left out.  Raises Unknown for a user or source that
    there is not, ReauthRequired if nothing is left, NotNow for a user who is being
    erased or not active, RedisError once the states are due: then the next tick queues them.
    """
    tenant_id = _tenant_of_active(user_id)
    asked = []
    for source in _wanted(user_id, sources):
        if full:
            states.forget_cursors(user_id, source)
        if states.request(user_id, source):
            asked.append(source)
    if not asked:
        raise ReauthRequired("these sources wait for the user, who must connect again")
    sent = dispatch.send_many(syncs_of(user_id, asked, tenant_id))
    return [
        Asked(source, one.message_id, one.job_id, one.created)
        for source, one in zip(asked, sent, strict=True)
    ]


def resync(user_id: str, sources: Collection[str] | None = None) -> list[Asked]:
    """List sources of a user anew, as `sync_now` with `full`; nothing is deleted before."""
    return sync_now(user_id, sources, full=True)


def dry_run(
    user_id: str, source: str, *, full: bool = False, limit_seconds: float | None = None
) -> DryRun:
    """Return what a sync would change, and what it costs; writes nothing, calls the provider.

    Raises Unknown, NotNow, and what the provider raises.
    """
    _tenant_of_active(user_id)
    _wanted(user_id, [source])
    return engine_dry_run(user_id, source, full=full, limit_seconds=limit_seconds)


def pause(user_id: str, *, reason: str, by: str, until: datetime | None = None) -> None:
    """Let nothing of a user start until then, or until it is resumed; what runs, goes on.

    Replaces a pause that is there.  Raises Unknown, NotNow and RedisError.
    """
    tenant_of(user_id)
    controls.pause(_scope(user_id), reason=reason, by=by, until=until)


def resume(user_id: str) -> bool:
    """End the pause of a user; False if there was none.  Raises Unknown and RedisError."""
    tenant_of(user_id)
    return controls.resume(_scope(user_id))


def _scope(user_id: str) -> str:
    return f"user:{user_id}"


def tenant_of(user_id: str) -> str:
    """Return the tenant of a user.  Raises Unknown, and NotNow if the user is being erased."""
    user: Row | None = collection(User).find_one({"_id": user_id}, {"tenant_id": 1})
    if erasures.under_way(user_id):
        raise NotNow(f"user {user_id!r} is being erased")
    if user is None:
        raise Unknown(f"there is no user {user_id!r}")
    return str(user.get("tenant_id") or DEFAULT_TENANT)


def _tenant_of_active(user_id: str) -> str:
    """Return the tenant of a user, as `tenant_of`; raise NotNow for one who is not active, too."""
    tenant_id = tenant_of(user_id)
    if inactive.is_inactive(user_id):
        raise NotNow(f"user {user_id!r} is not active")
    return tenant_id


def _wanted(user_id: str, sources: Collection[str] | None) -> list[str]:
    """Return the sources meant, all by default.  Raises Unknown for one that is not connected."""
    connected = sorted(collection(SyncState).distinct("source", {"user_id": user_id}))
    if not connected:
        raise Unknown(f"user {user_id!r} has not connected anything")
    for source in sources or ():
        if source not in connected:
            raise Unknown(f"user {user_id!r} has not connected {source}")
    return connected if sources is None else sorted(set(sources))
