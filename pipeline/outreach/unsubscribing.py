"""What readers ask for by the link in a message: no more, or once again.

What they are told is what is kept: both are one transaction.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pymongo.client_session import ClientSession
from pymongo.errors import ConnectionFailure

from models import Tenant
from models.outreach import OutreachEvent, SenderIdentity
from pipeline.errors import Transient
from pipeline.outreach import suppressions
from pipeline.outreach.advancing import Wake
from pipeline.outreach.events.matching import rows_by
from pipeline.outreach.events.opting import keep_objections
from pipeline.outreach.events.recording import Recorded, committed, record
from pipeline.outreach.events.told import Event, Told
from pipeline.stores import Row, collection

log = logging.getLogger(__name__)

_UNSUBSCRIBED = "unsubscribed"
_NOTHING = Recorded((), Wake())


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands between a reader and whoever wrote: `sender` is a name for people.

    `address` is the reader's, empty once it was forgotten; `reason` why nothing is sent there,
    or empty.
    """

    channel: str
    sender: str
    address: str
    reason: str


def standing(message_id: str) -> Standing | None:
    """Return how it stands with the reader of a message; None if there is no such message.

    Raises what the store raises.
    """
    message = rows_by("_id", [message_id]).get(message_id)
    if message is None:
        return None
    address = message.get("to_address") or ""
    tenant_id, channel = message["tenant_id"], message["channel"]
    reason = suppressions.why_suppressed(tenant_id, channel, address) if address else ""
    return Standing(channel, _sender(message), address, reason or "")


def unsubscribe(message_id: str, how: Literal["link", "one_click"]) -> Standing | None:
    """Write to the reader of a message no more, and stop what is under way for them.

    Safe to repeat.  If it cannot be recorded what follows from it, nothing is sent all the same.
    Raises what the store raises: then it is not known whether it was done.
    """
    return _ask(message_id, _UNSUBSCRIBED, {"by": how})


def resubscribe(message_id: str) -> Standing | None:
    """Let the reader of a message be written to again, unless there is another reason not to.

    Raises as `unsubscribe` does.
    """
    return _ask(message_id, "resubscribed", {"by": "link"})


def _ask(message_id: str, wish: str, data: Row) -> Standing | None:
    message = rows_by("_id", [message_id]).get(message_id)
    if message is None:
        return None

    def event(event_id: str = "") -> Event:
        suppress, now = wish if wish == _UNSUBSCRIBED else "", datetime.now(UTC)
        return Event(Told(event_id, "headrace", wish, now, suppress=suppress, data=data), message)

    def work(session: ClientSession) -> Recorded:
        if _is_so(session, message, wish):
            return _NOTHING
        return record(session, [event(_event_id(session, message_id, wish))])

    try:
        committed(work)
    except (ConnectionFailure, Transient):
        raise
    except Exception as error:
        if wish != _UNSUBSCRIBED:
            raise
        keep_objections([event()])
        log.warning("unsubscribed, but not recorded", extra={"reason": type(error).__name__})
    return standing(message_id)


def _is_so(session: ClientSession, message: Row, wish: str) -> bool:
    """Return whether it is as the reader wishes, or who was forgotten has said so before."""
    address = message.get("to_address") or ""
    if not address and wish == _UNSUBSCRIBED:
        return bool(_times_said(session, message["_id"], wish))
    grounds = suppressions.grounds(session, message["tenant_id"], message["channel"], address)
    return (_UNSUBSCRIBED in grounds) == (wish == _UNSUBSCRIBED)


def _event_id(session: ClientSession, message_id: str, wish: str) -> str:
    """Return the id of the event: who changes their mind and back again is heard each time."""
    before = _times_said(session, message_id, wish)
    base = f"headrace:{message_id}:{wish}"
    return f"{base}:{before + 1}" if before else base


def _times_said(session: ClientSession, message_id: str, wish: str) -> int:
    same: Row = {"message_id": message_id, "type": wish, "provider": "headrace"}
    return collection(OutreachEvent).count_documents(same, session=session)


def _sender(message: Row) -> str:
    """Return who wrote, as a reader may know them: the organization, else the sender's name."""
    tenant = collection(Tenant).find_one({"_id": message["tenant_id"]}, {"name": 1}) or {}
    if tenant.get("name"):
        return str(tenant["name"])
    key = {"_id": message["sender_id"], "tenant_id": message["tenant_id"]}
    sender = collection(SenderIdentity).find_one(key, {"display_name": 1, "address": 1}) or {}
    return str(sender.get("display_name") or sender.get("address") or "")
