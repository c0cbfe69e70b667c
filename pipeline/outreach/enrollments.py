"""What is done to single enrollments: paused, resumed, stopped, ended by an error.

Each is one transaction: the status, why it changed, and what was scheduled change together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import Campaign, Enrollment
from pipeline.audit import noted
from pipeline.errors import Gone, Permanent
from pipeline.outreach.advancing import Wake, carry
from pipeline.outreach.batches import Walk, load
from pipeline.outreach.promoting import nudge
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

#: Statuses that something may follow.
UNDER_WAY = ("pending", "active", "paused")


def pause(tenant_id: str, enrollment_id: str, *, by: str, reason: str = "") -> None:
    """Have a contact stay where it is.  Raises Gone, Permanent if it is not on its way."""

    def change(walk: Walk, now: datetime) -> None:
        if walk.row["status"] == "paused":
            return
        if walk.row["status"] != "active":
            raise Permanent(f"it is {walk.row['status']}: only what is active can be paused")
        walk.change("paused", now, now, status="paused", reason=reason, by=by)

    _act(tenant_id, enrollment_id, "enrollment.pause", by, change)


def resume(tenant_id: str, enrollment_id: str, *, by: str, reason: str = "") -> None:
    """Let a paused contact go on from where it is; what came due meanwhile is done now.

    Raises Gone, Permanent if it is over, or was not begun with.
    """

    def change(walk: Walk, now: datetime) -> None:
        if walk.row["status"] == "active":
            return
        if walk.row["status"] != "paused":
            raise Permanent(f"it is {walk.row['status']}: only what is paused can be resumed")
        walk.change("resumed", now, now, status="active", reason=reason, by=by)

    _act(tenant_id, enrollment_id, "enrollment.resume", by, change)


def stop(tenant_id: str, enrollment_id: str, *, by: str, reason: str = "") -> None:
    """End an enrollment, for good.  Raises Gone, Permanent if it has ended otherwise."""

    def change(walk: Walk, now: datetime) -> None:
        if walk.row["status"] == "stopped":
            return
        if walk.is_over:
            raise Permanent(f"it is {walk.row['status']} already")
        walk.change("stopped", now, now, status="stopped", reason=reason, by=by)

    _act(tenant_id, enrollment_id, "enrollment.stop", by, change)


def stop_contact(
    session: ClientSession,
    tenant_id: str,
    contact_id: str,
    reason: str,
    trigger: str,
    occurred_at: datetime,
    but: Collection[str] = (),
) -> Wake:
    """Stop all that a tenant has under way for a contact, in the caller's transaction.

    All `but` the enrollments of these ids.
    """
    mine = {"tenant_id": tenant_id, "contact_id": contact_id, "status": {"$in": list(UNDER_WAY)}}
    found = collection(Enrollment).find(mine, {"_id": 1}, session=session)
    return end_all(
        session,
        [str(row["_id"]) for row in found if row["_id"] not in but],
        "stopped",
        trigger=trigger,
        reason=reason,
        occurred_at=occurred_at,
    )


def error(session: ClientSession, enrollment: Row, reason: str) -> Wake:
    """End an enrollment that cannot go on, in the caller's transaction."""
    return end_all(session, [enrollment["_id"]], "error", trigger="error", reason=reason)


def end_all(
    session: ClientSession,
    enrollment_ids: Collection[str],
    status: str,
    *,
    trigger: str,
    reason: str = "",
    by: str = "",
    occurred_at: datetime | None = None,
) -> Wake:
    """End enrollments that are not over yet, in the caller's transaction.

    `status` is one of ENROLLMENT_OVER; `occurred_at` is when that happened which ends them.
    """
    if not enrollment_ids:
        return Wake()
    now = datetime.now(UTC)
    batch = load(session, enrollment_ids)
    for walk in batch.walks:
        if not walk.is_over:
            happened = min(occurred_at or now, now)
            walk.change(trigger, happened, now, status=status, reason=reason, by=by)
    return carry(session, batch, now)


def _act(
    tenant_id: str,
    enrollment_id: str,
    action: str,
    by: str,
    change: Callable[[Walk, datetime], None],
) -> None:
    """Change one enrollment of a tenant and what follows from it, in one transaction."""

    def work(session: ClientSession) -> Wake:
        now = datetime.now(UTC)
        batch = load(session, [enrollment_id])
        if not batch.walks or batch.walks[0].row["tenant_id"] != tenant_id:
            raise Gone("there is no such enrollment")
        [walk] = batch.walks
        change(walk, now)
        if walk.row["status"] == "active" and not walk.is_open:
            # Whoever resumes its campaign at this moment is to see that it is active again.
            touch = {"$set": {"updated_at": now}}
            collection(Campaign).update_one({"_id": walk.campaign["_id"]}, touch, session=session)
        return carry(session, batch, now)

    with noted(by, action, f"enrollment {enrollment_id}"):
        nudge(transaction(work))
