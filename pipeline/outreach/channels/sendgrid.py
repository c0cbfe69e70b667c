"""Mail by SendGrid, which also tells what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.clients import sendgrid
from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.outreach.channels.base import Absent, Accepted, Found, Outgoing, Unsure
from pipeline.outreach.channels.headers import headers_of, one_line
from pipeline.outreach.credentials import decrypted
from pipeline.stores import Row

#: The custom argument by which a mail is found again.
_ARGUMENT = "outbound_message_id"
#: What statistics at SendGrid can be split by, from which custom argument.
_CATEGORIES = (("campaign", "campaign_id"), ("tenant", "tenant_id"))


class SendGrid:
    """Opens and clicks are told by SendGrid; to unsubscribe there is our own link alone."""

    provider = "sendgrid"
    reports = frozenset(
        ("delivered", "opened", "clicked", "bounced", "spam_report", "unsubscribed", "replied")
    )
    own_tracking = False

    def send(self, sender: Row, message: Outgoing) -> Accepted:
        return Accepted(sendgrid.send(_key(sender), mail(sender, message)))

    def lookup(self, sender: Row, message: Row) -> Found | Absent | Unsure:
        """Never says Absent: SendGrid shows a mail some time after it has taken it, or not at all
        when the account has not bought that."""
        found = sendgrid.find(_key(sender), _ARGUMENT, str(message["_id"]))
        if found is None:
            return Unsure("the SendGrid account has no Email Activity to ask")
        if not found:
            return Unsure("SendGrid's Email Activity does not show it (yet)")
        first = found[0]
        # As in events: what follows the first dot says where it went on its way.
        return Found(first.message_id.partition(".")[0], first.last_event_at or datetime.now(UTC))

    def verify(self, sender: Row) -> None:
        """A key that may only send cannot see senders and domains: then the first mail tells."""
        key = _key(sender)
        if "mail.send" not in sendgrid.scopes(key):
            raise Misconfigured("sendgrid: the API key lacks the right `mail.send`")
        address = str(sender["address"]).lower()
        domain = address.rpartition("@")[2]
        addresses = sendgrid.verified_addresses(key)
        domains = sendgrid.authenticated_domains(key, domain)
        is_known = address in (addresses or ()) or domain in (domains or ())
        if not is_known and not (addresses is None and domains is None):
            raise Misconfigured(
                "sendgrid: the address is no verified sender, and its domain is not authenticated;"
                " see Settings > Sender Authentication at SendGrid"
            )


def mail(sender: Row, message: Outgoing) -> dict[str, Any]:
    """Return a mail as SendGrid takes it.

    https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send#request-body
    """
    args = dict(message.custom_args)
    parts = (("text/plain", message.content.text), ("text/html", message.content.html))
    written: dict[str, Any] = {
        "personalizations": [{"to": [{"email": message.to}], "custom_args": args}],
        "from": _from(sender),
        "subject": one_line(message.content.subject),
        "content": [{"type": kind, "value": text} for kind, text in parts if text],
        "headers": headers_of(message),
        "categories": [f"{kind}:{args[arg]}" for kind, arg in _CATEGORIES if args.get(arg)],
        "tracking_settings": {
            "click_tracking": {"enable": True, "enable_text": False},
            "open_tracking": {"enable": True},
            "subscription_tracking": {"enable": False},
        },
    }
    if sender.get("reply_to"):
        written["reply_to"] = {"email": sender["reply_to"]}
    return written


def _from(sender: Row) -> dict[str, str]:
    # A comma or semicolon in a name is taken for the end of an address.
    written = sender.get("display_name") or ""
    name = one_line(written.replace(",", " ").replace(";", " "))
    address = {"email": str(sender["address"])}
    return address | {"name": name} if name else address


def _key(sender: Row) -> str:
    own = decrypted(sender)
    return own["api_key"] if own else settings().sendgrid_api_key.get_secret_value()
