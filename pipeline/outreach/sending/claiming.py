"""Claiming a message: the row in the ledger, before anything is done.

The claim is good for OUTREACH_SEND_LEASE_SECONDS; `fence` tells it from those before and after.
Whoever stops or pauses the enrollment writes to the same rows, so one of the two has to look
again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import Enrollment, OutboundMessage, ScheduledAction
from models.outreach import ACTION_OPEN
from pipeline.config import settings
from pipeline.errors import LeaseLost
from pipeline.outreach.channels import Outgoing, content_hash
from pipeline.outreach.sending.errand import Errand
from pipeline.outreach.transactions import TOUCH, transaction
from pipeline.stores import Row, collection

#: States of a message that was certainly not sent.
CLAIMABLE = ("retryable", "canceled")
#: Nothing is handed over when so much of the claim's time is over: the rest is the provider's.
_USABLE = 0.5


def claim(errand: Errand, outgoing: Outgoing, now: datetime) -> Row:
    """Claim the message, and return its row.

    Raises LeaseLost if somebody else has it, or the contact is not there any more.
    """

    def work(session: ClientSession) -> Row:
        _hold_enrollment(errand, session)
        _hold_action(errand, now, session)
        return _take(errand, outgoing, now, session)

    try:
        return transaction(work)
    except DuplicateKeyError:
        raise LeaseLost("somebody else has claimed this message") from None


def is_spent(message: Row, now: datetime) -> bool:
    """Return whether a claim is too old to hand the message over: its process was held up."""
    lease = timedelta(seconds=settings().outreach_send_lease_seconds)
    return bool(now > message["handed_over_at"] + lease * _USABLE)


def _hold_enrollment(errand: Errand, session: ClientSession) -> None:
    action = errand.action
    there = {
        "_id": action["enrollment_id"],
        "tenant_id": action["tenant_id"],
        "status": "active",
        "state_version": action["state_version"],
        "node_id": action["node_id"],
    }
    fresh = {"claimed_version": action["state_version"], "message_id": errand.message_id}
    done = collection(Enrollment).update_one(there, {"$set": fresh} | TOUCH, session=session)
    if not done.matched_count:
        raise LeaseLost("the contact is not there any more, or may not go on")


def _hold_action(errand: Errand, now: datetime, session: ClientSession) -> None:
    """Keep the action queued, for as long as it takes."""
    is_open = {"_id": errand.action["_id"], "status": {"$in": list(ACTION_OPEN)}}
    fresh = {"status": "queued", "queued_at": now, "updated_at": now}
    done = collection(ScheduledAction).update_one(
        is_open, {"$set": fresh, "$inc": {"attempts": 1}}, session=session
    )
    if not done.matched_count:
        raise LeaseLost("the action was canceled")


def _take(errand: Errand, outgoing: Outgoing, now: datetime, session: ClientSession) -> Row:
    """Write the row; a DuplicateKeyError says that it is there in a state of somebody else's."""
    row = collection(OutboundMessage).find_one_and_update(
        {"_id": errand.message_id, "state": {"$in": list(CLAIMABLE)}},
        {
            "$set": _claimed(errand, outgoing, now),
            "$setOnInsert": _new(errand, now),
            "$inc": {"fence": 1, "attempts": 1},
            "$unset": {"error": "", "reconciliation": "", "reconcile_due_at": ""},
        },
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    assert row is not None  # it was there, or is now
    return row


def _new(errand: Errand, now: datetime) -> Row:
    names = ("tenant_id", "campaign_id", "enrollment_id", "contact_id", "node_id", "channel")
    fixed = {name: errand.action[name] for name in names}
    return {**fixed, "dedupe_key": errand.dedupe_key, "created_at": now}


def _claimed(errand: Errand, outgoing: Outgoing, now: datetime) -> Row:
    channel = errand.action["channel"]
    return {
        "state": "sending",
        "lease_until": now + timedelta(seconds=settings().outreach_send_lease_seconds),
        "handed_over_at": now,
        "sender_id": errand.sender["_id"],
        "provider": errand.sender["provider"],
        "plan_version": errand.enrollment["plan_version"],
        "to_address": outgoing.to,
        "domain": errand.domain or None,
        "subject": outgoing.content.subject or None,
        "content_hash": content_hash(channel, outgoing.content),
        "message_id_header": outgoing.message_id_header or None,
        "updated_at": now,
    }
