"""Sending one mail to one user, at most once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from models import User
from pipeline import metrics
from pipeline.clients import smtp
from pipeline.clients.sending_errors import NotTaken, Unanswered
from pipeline.clients.smtp_server import parse
from pipeline.config import settings
from pipeline.errors import Misconfigured, Permanent, RateLimited
from pipeline.platform.email import deliveries, overrides
from pipeline.platform.email.preferences import preferences_of, quiet_until
from pipeline.stores import Row, collection

logger = logging.getLogger(__name__)

#: Seconds before a mail that was not taken is tried again; after the last it has failed.
WAITS = (10, 60, 300, 1800, 7200)
#: How long mail waits for settings before they are looked at again.
_SETTINGS_WAIT = timedelta(minutes=5)


def send(delivery: str) -> str:
    """Send a delivery if it is due, and say what became of it.  Safe to run twice.

    Raises Permanent for one that is refused, or was tried too often, Misconfigured if the mail
    server does not take us: that one waits.
    """
    row = deliveries.claim(delivery)
    if row is None:
        return "not due"
    user = collection(User).find_one({"_id": row["user_id"], "tenant_id": row["tenant_id"]})
    try:
        outcome = _decide(row, user)
        if outcome is None:
            assert user is not None
            outcome = _hand_over(row, _mail(row, user))
    except Permanent as error:
        deliveries.write(row, status="failed", why=str(error))
        metrics.EMAILS.labels(row["template"], "failed").inc()
        raise
    metrics.EMAILS.labels(row["template"], outcome).inc()
    return outcome


def _decide(row: Row, user: Row | None) -> str | None:
    """Return what became of a mail that is not sent now; None if it is to be sent."""
    now = datetime.now(UTC)
    if user is None or not user.get("is_active", True):
        return _skip(row, "there is no such user any more, or it is not active")
    if not preferences_of(user)["enabled"]:
        return _skip(row, "the user wants no mail")
    if not user.get("email"):
        return _skip(row, "the user's address is not known")
    if not settings().email_from:
        deliveries.put_off(row, now + _SETTINGS_WAIT, "EMAIL_FROM is not set")
        return "deferred"
    quiet = None if row["urgency"] == "urgent" else quiet_until(user, now)
    if quiet is not None:
        deliveries.put_off(row, quiet, "the user's quiet hours")
        return "deferred"
    return None


def _skip(row: Row, why: str) -> str:
    deliveries.write(row, status="skipped", why=why)
    return "skipped"


def _mail(row: Row, user: Row) -> EmailMessage:
    """Return the mail; what it says is fixed when it is first tried.

    Raises Refused if its template cannot be filled, Permanent if the address is none.
    """
    if row.get("text") is None:
        _write_down(row, user)
    to = smtp.ascii_address(str(user["email"]))
    if not to:
        raise Permanent("the user's address cannot be said to a mail server")
    mail = EmailMessage(SMTP)
    mail["From"] = _address(settings().email_from, settings().email_from_name)
    mail["To"] = _address(to)
    mail["Subject"] = row["subject"]
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = row["message_id"]
    # So that no program answers it: https://www.rfc-editor.org/rfc/rfc3834
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(row["text"], cte="quoted-printable")
    if row["html"]:
        mail.add_alternative(row["html"], subtype="html", cte="quoted-printable")
    return mail


def _write_down(row: Row, user: Row) -> None:
    source = overrides.source_of(row["tenant_id"], row["template"])
    shared = {
        "name": user.get("display_name") or str(user["email"]).partition("@")[0],
        "tenant": overrides.tenant_name(row["tenant_id"]),
    }
    written = overrides.render(source, {**row["context"], **shared})
    deliveries.write(
        row,
        template_version=source.version,
        subject=written.subject,
        html=written.html,
        text=written.text,
        message_id=deliveries.message_id(row),
    )


def _hand_over(row: Row, mail: EmailMessage) -> str:
    """Give the mail to the server, and write what became of it.  Raises Misconfigured, Refused."""
    said = {"sender": settings().email_from, "to": mail["To"].addresses[0].addr_spec}
    deliveries.write(row, handed_at=datetime.now(UTC))
    try:
        server = parse(settings().smtp_url.get_secret_value(), "SMTP_URL")
        server_id = smtp.send(server, mail, **said)
    except Unanswered as error:
        deliveries.write(row, status="unknown", why=str(error))
        return "unknown"
    except (NotTaken, RateLimited) as error:
        return _try_later(row, str(error))
    except Misconfigured as error:
        deliveries.put_off(row, datetime.now(UTC) + _SETTINGS_WAIT, str(error))
        raise
    now = datetime.now(UTC)
    deliveries.write(
        row, status="sent", sent_at=now, server_id=server_id, attempts=row["attempts"] + 1, why=None
    )
    return "sent"


def _try_later(row: Row, why: str) -> str:
    attempts = row["attempts"] + 1
    if attempts > len(WAITS):
        raise Permanent(f"not taken in {attempts} tries; the last time: {why}")
    until = datetime.now(UTC) + timedelta(seconds=WAITS[attempts - 1])
    deliveries.put_off(row, until, why, attempts=attempts)
    return "deferred"


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
