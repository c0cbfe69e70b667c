"""SMS by Twilio, which tells whether they were delivered, answered, or stopped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from models.outreach import OutboundMessage
from pipeline.clients import twilio
from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.outreach.channels.base import Absent, Accepted, Found, Outgoing, Unsure, text_hash
from pipeline.outreach.credentials import decrypted
from pipeline.stores import Row, collection

#: Twilio's clock and ours.
_SKEW = timedelta(minutes=2)
#: What Twilio puts before every SMS of a trial account.
_TRIAL = "Sent from your Twilio trial account - "


class Twilio:
    """Links are our own; STOP is heard by Twilio, which tells us."""

    provider = "twilio"
    reports = frozenset(("delivered", "bounced", "clicked", "replied", "unsubscribed"))
    own_tracking = True

    def send(self, sender: Row, message: Outgoing) -> Accepted:
        sid = twilio.send(
            _account(sender),
            sender=str(sender["address"]),
            to=message.to,
            text=message.content.text,
            status_url=message.status_url,
        )
        return Accepted(sid)

    def lookup(self, sender: Row, message: Row) -> Found | Absent | Unsure:
        """Look for an SMS to the same number with the same text, since it was handed over.

        One that is another message's is not taken.  Absent is said only once the request cannot
        be under way any more, if there is no other SMS that is nobody's, and if number and account
        are still those that it was sent with.
        """
        since = message.get("handed_over_at")
        if since is None:
            return Absent()
        try:
            free = _unclaimed(sender, message, since - _SKEW)
        except twilio.TooMany:
            return Unsure("there are too many messages to this number at Twilio")
        same = [found for found in free if _hash(found) == message.get("content_hash")]
        if same:
            return Found(same[-1].sid, same[-1].at)
        if free:
            return Unsure("Twilio has a message to this number of that time with another text")
        if datetime.now(UTC) < since + timedelta(seconds=2 * settings().provider_timeout_seconds):
            return Unsure("the request to Twilio may still be under way")
        if _may_have_changed(sender, since):
            return Unsure("the sender was changed or verified anew since")
        return Absent()

    def verify(self, sender: Row) -> None:
        account = _account(sender)
        status = twilio.account_status(account)
        if status != "active":
            raise Misconfigured("twilio: the account is not active")
        sends = twilio.can_send(account, str(sender["address"]))
        if sends is None:
            raise Misconfigured("twilio: the number is none of this account's")
        if not sends:
            raise Misconfigured("twilio: the number sends no SMS")


def _may_have_changed(sender: Row, since: datetime) -> bool:
    """Whether the sender may have had another number or account then: it is verified after that."""
    verified_at = sender.get("verified_at")
    is_newer = verified_at is not None and verified_at > since
    return is_newer or sender.get("status") == "unverified"


def _unclaimed(sender: Row, message: Row, since: datetime) -> list[twilio.Message]:
    """Return the SMS to this number since then that are no other message's; newest first."""
    listed = twilio.messages(
        _account(sender), sender=str(sender["address"]), to=str(message["to_address"])
    )
    found = [sms for sms in listed if sms.at >= since]
    taken = _others(message, (sms.sid for sms in found))
    return [sms for sms in found if sms.sid not in taken]


def _others(message: Row, sids: Iterable[str]) -> frozenset[str]:
    query = {"provider_id": {"$in": list(sids)}, "_id": {"$ne": message["_id"]}}
    return frozenset(collection(OutboundMessage).distinct("provider_id", query))


def _hash(found: twilio.Message) -> str:
    return text_hash(found.text.removeprefix(_TRIAL))


def _account(sender: Row) -> twilio.Account:
    own = decrypted(sender)
    if own:
        return twilio.Account(own["account_sid"], own["auth_token"])
    return twilio.Account(
        settings().twilio_account_sid, settings().twilio_auth_token.get_secret_value()
    )
