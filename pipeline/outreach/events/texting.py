"""What a delivery of Twilio's tells: it is always about one message."""

from __future__ import annotations

from datetime import datetime

from pymongo import DESCENDING

from models.outreach import OutboundMessage, SenderIdentity
from pipeline.outreach import suppressions
from pipeline.outreach.events import twilio
from pipeline.outreach.events.reading import Reading
from pipeline.outreach.events.told import Told
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection


def read(delivery: Row) -> Reading:
    """Return what it tells.

    Who asks for no more without ever having been sent a message gets none from then on, too.
    """
    form, at = twilio.form_of(delivery["raw"]), delivery["received_at"]
    reading = Reading()
    if delivery["kind"] == "status":
        told = twilio.status(form, delivery.get("message_id", ""), at)
    else:
        told = _inbound(delivery["sender_id"], form, at, reading)
    if told is not None:
        reading.told.append(told)
    elif not reading.skipped:
        reading.malformed += 1
        reading.problems.append("MessageSid: It is missing, or none")
    return reading


def _inbound(sender_id: str, form: dict[str, str], at: datetime, reading: Reading) -> Told | None:
    sender = collection(SenderIdentity).find_one({"_id": sender_id})
    if sender is None:
        reading.skip("the sender is gone")
        return None
    tenant_id = sender["tenant_id"]
    number = suppressions.normalized("sms", form.get("From", ""))
    stopped = suppressions.why_suppressed(tenant_id, "sms", number) == "unsubscribed"
    message = _last_message(tenant_id, sender_id, number)
    if message is None:
        _without_message(tenant_id, number, form, at, stopped)
        reading.skip("nothing was sent to this number")
        return None
    return twilio.inbound(form, message["_id"], at, stopped)


def _last_message(tenant_id: str, sender_id: str, number: str) -> Row | None:
    """Return what somebody most likely answers; an answer proves of no message that it was sent."""
    wanted = {"tenant_id": tenant_id, "to_address": number, "sender_id": sender_id, "state": "sent"}
    return collection(OutboundMessage).find_one(wanted, {"_id": 1}, sort=[("sent_at", DESCENDING)])


def _without_message(
    tenant_id: str, number: str, form: dict[str, str], at: datetime, stopped: bool
) -> None:
    meant = twilio.meaning(form, stopped)
    if meant == "unsubscribed":
        suppressions.suppress(None, tenant_id, "sms", number, reason=meant, source="twilio", at=at)
    elif meant == "resubscribed":
        transaction(lambda session: suppressions.take_back(session, tenant_id, "sms", number, at))
