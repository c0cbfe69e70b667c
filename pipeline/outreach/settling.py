"""Bringing enrollments in line with the status of their campaign, in bounded parts.

The status is changed in one write, which everybody who acts asks for; this follows.  Each part is
one transaction that looks what is left to do and does some of it, so a crash anywhere loses
nothing, and running twice, or two at a time, does nothing twice: both write to the campaign.
A status that changes meanwhile is what the next part goes by.

    active   pending enrollments are started; after a pause active ones are moved on
    paused   what is scheduled is canceled; the same while the tenant is paused
    stopped  all enrollments are stopped
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING
from pymongo.client_session import ClientSession

from models import Campaign, Enrollment, ScheduledAction, Tenant
from models.outreach import ACTION_OPEN
from pipeline.errors import Gone, Unfinished
from pipeline.jobs.current import summarize
from pipeline.outreach.advancing import NOTHING, Wake, advance, carry
from pipeline.outreach.batches import load
from pipeline.outreach.enrollments import UNDER_WAY, end_all
from pipeline.outreach.promoting import nudge
from pipeline.outreach.starting import start
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection
from pipeline.words import counted

#: Enrollments of one transaction.
AT_ONCE = 500
#: One job goes on for so long; another follows, behind the timers and senders that wait for its
#: worker thread meanwhile: those must not be late.
MOST_SECONDS = 1.0
#: If nobody has gone on for so long, the tick has somebody do it.
_LEASE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one transaction has done: with how many enrollments, and whether that was all."""

    count: int = 0
    is_last: bool = True
    wake: Wake = NOTHING


def settle(campaign_id: str) -> str:
    """Bring enrollments in line with their campaign, and say in words with how many it was done.

    Safe to run twice.  Raises Gone if there is no such campaign, Unfinished if more is left.
    """
    until = time.monotonic() + MOST_SECONDS
    count = 0
    while True:

        def work(session: ClientSession) -> _Part:
            return _part(session, campaign_id, datetime.now(UTC))

        part = transaction(work)
        nudge(part.wake)
        count += part.count
        said = counted(count, "enrollment")
        if part.is_last:
            return said
        if time.monotonic() >= until:
            summarize(said)
            raise Unfinished


def _part(session: ClientSession, campaign_id: str, now: datetime) -> _Part:
    campaign = collection(Campaign).find_one({"_id": campaign_id}, session=session)
    if campaign is None:
        raise Gone("there is no such campaign")
    part = _next(session, campaign, now)
    if part.is_last:
        done: Row = {"$unset": {"settle_due_at": "", "settle_after": ""}}
    else:
        done = {"$set": {"settle_due_at": now + _LEASE}}
    # A status that is changed meanwhile, or contacts that are added, are in the way of this.
    collection(Campaign).update_one({"_id": campaign_id}, done, session=session)
    return part


def _next(session: ClientSession, campaign: Row, now: datetime) -> _Part:
    if campaign["status"] == "draft":
        return _Part()
    if campaign["status"] == "stopped":
        return _stop_some(session, campaign)
    tenant = collection(Tenant).find_one({"_id": campaign["tenant_id"]}, session=session) or {}
    if campaign["status"] == "paused" or tenant.get("outreach_paused"):
        return _cancel_some(session, campaign, now)
    return _start_some(session, campaign, now) or _resume_some(session, campaign, now)


def _stop_some(session: ClientSession, campaign: Row) -> _Part:
    ids = _enrollments(session, campaign, {"status": {"$in": list(UNDER_WAY)}})
    reason = campaign.get("status_reason") or "the campaign was stopped"
    by = campaign.get("status_by") or ""
    wake = end_all(session, ids, "stopped", trigger="campaign_stopped", reason=reason, by=by)
    return _Part(len(ids), not ids, wake)


def _cancel_some(session: ClientSession, campaign: Row, now: datetime) -> _Part:
    scheduled = {"campaign_id": campaign["_id"], "status": {"$in": list(ACTION_OPEN)}}
    found = (
        collection(ScheduledAction)
        .find(scheduled, {"enrollment_id": 1}, session=session)
        .limit(AT_ONCE)
    )
    ids = {str(row["enrollment_id"]) for row in found}
    # They may not move: that cancels what is scheduled for them.
    wake = carry(session, load(session, ids), now) if ids else NOTHING
    return _Part(len(ids), not ids, wake)


def _start_some(session: ClientSession, campaign: Row, now: datetime) -> _Part | None:
    ids = _enrollments(session, campaign, {"status": "pending"})
    if not ids:
        return None
    batch = load(session, ids)
    start(session, batch, now)
    return _Part(len(ids), False, carry(session, batch, now))


def _resume_some(session: ClientSession, campaign: Row, now: datetime) -> _Part:
    after = campaign.get("settle_after")
    if after is None:  # nothing was held up
        return _Part()
    ids = _enrollments(session, campaign, {"status": "active", "_id": {"$gt": after}})
    if not ids:
        return _Part()
    wake = advance(session, ids, now)
    collection(Campaign).update_one(
        {"_id": campaign["_id"]}, {"$set": {"settle_after": ids[-1]}}, session=session
    )
    return _Part(len(ids), False, wake)


def _enrollments(session: ClientSession, campaign: Row, which: Row) -> list[str]:
    """Return the next enrollments of a campaign, in order of their ids."""
    wanted = {"campaign_id": campaign["_id"]} | which
    found = collection(Enrollment).find(wanted, {"_id": 1}, session=session)
    return [str(row["_id"]) for row in found.sort("_id", ASCENDING).limit(AT_ONCE)]
