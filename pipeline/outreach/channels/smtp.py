"""Mail by any mail server.  What becomes of it is known by our own links, and by replies."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from pipeline.clients import smtp
from pipeline.clients.sending_errors import Refused
from pipeline.clients.smtp_server import MailServer
from pipeline.errors import Misconfigured
from pipeline.outreach import mail_servers
from pipeline.outreach.channels.base import Absent, Accepted, Found, Outgoing, Unsure
from pipeline.outreach.channels.headers import headers_of, one_line
from pipeline.outreach.channels.mail_policy import MAIL_POLICY
from pipeline.outreach.credentials import decrypted
from pipeline.stores import Row


class Smtp:
    """Deliveries and bounces are not reported: they come, if at all, as mail to the sender."""

    provider = "smtp"
    reports = frozenset(("opened", "clicked", "unsubscribed", "replied"))
    own_tracking = True

    def send(self, sender: Row, message: Outgoing) -> Accepted:
        written = mail(sender, message)
        envelope = {"sender": written["From"], "to": written["To"]}
        said = {name: header.addresses[0].addr_spec for name, header in envelope.items()}
        return Accepted(smtp.send(_server(sender), written, **said))

    def lookup(
        self,
        sender: Row,  # noqa: ARG002
        message: Row,  # noqa: ARG002
    ) -> Found | Absent | Unsure:
        """A mail server cannot be asked what it has taken."""
        return Unsure("a mail server does not say what it has taken")

    def verify(self, sender: Row) -> None:
        smtp.check(_server(sender))


def mail(sender: Row, message: Outgoing) -> EmailMessage:
    """Return a mail with the message's own Message-ID.

    Raises Refused if the recipient's address is none, Misconfigured if the sender's is none.
    """
    written = EmailMessage(MAIL_POLICY)
    written["From"] = _own(str(sender["address"]), one_line(sender.get("display_name") or ""))
    written["To"] = _recipient(message.to)
    if sender.get("reply_to"):
        written["Reply-To"] = _own(str(sender["reply_to"]))
    written["Subject"] = one_line(message.content.subject)
    written["Date"] = format_datetime(datetime.now(UTC))
    for header, value in headers_of(message).items():
        written[header] = value
    written.set_content(message.content.text)
    if message.content.html:
        written.add_alternative(message.content.html, subtype="html")
    return written


def _recipient(address: str) -> Address:
    written = smtp.ascii_address(address)
    if not written:
        raise Refused("smtp: an address that cannot be said to a mail server", is_address=True)
    return Address("", *_parts(written))


def _own(address: str, name: str = "") -> Address:
    written = smtp.ascii_address(address)
    if not written:
        raise Misconfigured("smtp: an address of the sender cannot be said to a mail server")
    return Address(name, *_parts(written))


def _parts(address: str) -> tuple[str, str]:
    name, _, domain = address.rpartition("@")
    return name, domain


def _server(sender: Row) -> MailServer:
    own = decrypted(sender)
    return mail_servers.named(own["url"]) if own else mail_servers.of_settings()
