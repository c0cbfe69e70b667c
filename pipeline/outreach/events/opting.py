"""What events say about whether somebody wants, or can get, further messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo import DESCENDING
from pymongo.client_session import ClientSession

from models.outreach import OutboundMessage, OutreachEvent
from pipeline.outreach import suppressions
from pipeline.outreach.events.told import Event
from pipeline.outreach.suppressions import Objection
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection


def heed(session: ClientSession, events: Sequence[Event]) -> list[Objection]:
    """Suppress addresses, or let them be written to again, by new events that are kept already.

    Returns all objections.  Who has unsubscribed and wants to be written to again since is
    not suppressed, in whatever order we learn of it.
    """
    objections = [_objection(event) for event in events if event.told.suppress]
    suppressions.add(session, [one for one in objections if _holds(session, one)])
    for event in events:
        message, told = event.message, event.told
        if told.type == "resubscribed" and message.get("to_address"):
            suppressions.take_back(
                session,
                message["tenant_id"],
                message["channel"],
                message["to_address"],
                told.occurred_at,
            )
    return objections


def keep_objections(events: Sequence[Event]) -> None:
    """Suppress addresses by events that cannot be recorded.

    Whatever is wrong with a plan, whoever objects gets nothing more.
    """
    objections = [_objection(event) for event in events if event.told.suppress]

    def work(session: ClientSession) -> None:
        suppressions.add(session, [one for one in objections if _is_new(session, one)])

    transaction(work)


def _is_new(session: ClientSession, objection: Objection) -> bool:
    of_address = (objection.tenant_id, objection.channel, objection.address)
    known = suppressions.grounds(session, *of_address)
    return objection.reason not in known and _holds(session, objection)


def _objection(event: Event) -> Objection:
    told, message = event.told, event.message
    return Objection(
        tenant_id=message["tenant_id"],
        channel=message["channel"],
        address=message.get("to_address") or "",
        reason=told.suppress,
        source=told.data.get("by") or told.provider,
        at=told.occurred_at,
        campaign_id=message["campaign_id"],
        contact_id=message["contact_id"],
        message_id=message["_id"],
    )


def _holds(session: ClientSession, objection: Objection) -> bool:
    if objection.reason != "unsubscribed" or not objection.address:
        return True
    last = last_resubscribed(session, objection.tenant_id, objection.address)
    return last is None or last < objection.at


def last_resubscribed(session: ClientSession, tenant_id: str, address: str) -> datetime | None:
    """Return when somebody last wanted to be written to again."""
    of_address: Row = {"tenant_id": tenant_id, "to_address": address}
    sent = collection(OutboundMessage).find(of_address, {"_id": 1}, session=session)
    wanted = {"message_id": {"$in": [row["_id"] for row in sent]}, "type": "resubscribed"}
    newest = collection(OutreachEvent).find_one(
        wanted, {"occurred_at": 1}, sort=[("occurred_at", DESCENDING)], session=session
    )
    return newest["occurred_at"] if newest else None
