"""Taking out all that says who a contact was, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from models import Contact, Enrollment, OutboundMessage, OutreachEvent, ScheduledAction, Suppression
from models.outreach import ENROLLMENT_OVER
from pipeline.outreach import enrollments, suppressions
from pipeline.outreach.advancing import Wake
from pipeline.outreach.contact_fields import NAMES
from pipeline.outreach.promoting import nudge
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

REASON = "the contact was forgotten"
_ADDRESSES = {"email": "email", "phone": "sms"}


@dataclass(frozen=True, slots=True)
class Removed:
    """How many messages do not say any more whom they went to, and enrollments were stopped."""

    messages: int
    enrollments: int


def forget(tenant_id: str, contact_id: str) -> Removed:
    """Forget a contact: what is under way stops, and its address stays suppressed by its hash."""

    def work(session: ClientSession) -> tuple[Removed, Wake]:
        now = datetime.now(UTC)
        mine: Row = {"tenant_id": tenant_id, "contact_id": contact_id}
        open_ones = {**mine, "status": {"$nin": list(ENROLLMENT_OVER)}}
        stopped = collection(Enrollment).count_documents(open_ones, session=session)
        wake = enrollments.stop_contact(session, tenant_id, contact_id, REASON, "forgotten", now)
        _forget_suppressed(session, mine)
        messages = _forget_messages(session, mine)
        _forget_contact(session, mine, now)
        return Removed(messages, stopped), wake

    removed, wake = transaction(work)
    nudge(wake)
    return removed


def _forget_suppressed(session: ClientSession, mine: Row) -> None:
    """Keep the hashes of its addresses alone, also of those that it had before."""
    contact = {"_id": mine["contact_id"], "tenant_id": mine["tenant_id"]}
    row = collection(Contact).find_one(contact, session=session) or {}
    for field, channel in _ADDRESSES.items():
        if row.get(field):
            suppressions.forget(session, mine["tenant_id"], channel, row[field])
    collection(Suppression).update_many(mine, suppressions.NAMELESS, session=session)


def _forget_messages(session: ClientSession, mine: Row) -> int:
    """Empty what names the contact in its messages; return how many of them did."""
    ids = [row["_id"] for row in collection(Enrollment).find(mine, {"_id": 1}, session=session)]
    its: Row = {"enrollment_id": {"$in": ids}}
    named = {**its, "$or": [{"to_address": {"$gt": ""}}, {"subject": {"$gt": ""}}]}
    emptied = {"$unset": {"to_address": "", "subject": "", "domain": ""}}
    done = collection(OutboundMessage).update_many(named, emptied, session=session)
    # A link may have been made for this contact alone.
    links = {**its, "data.url": {"$gt": ""}}
    collection(OutreachEvent).update_many(links, {"$unset": {"data.url": ""}}, session=session)
    actions = {**its, "domain": {"$gt": ""}}
    collection(ScheduledAction).update_many(actions, {"$unset": {"domain": ""}}, session=session)
    return done.modified_count


def _forget_contact(session: ClientSession, mine: Row, now: datetime) -> None:
    contact = {"_id": mine["contact_id"], "tenant_id": mine["tenant_id"], "forgotten_at": None}
    emptied = {"$set": {"forgotten_at": now, "updated_at": now, "fields": {}}}
    names = {"$unset": dict.fromkeys(NAMES, "")}
    collection(Contact).update_one(contact, emptied | names, session=session)
