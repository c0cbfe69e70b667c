"""Mail by SMTP: one message per call, over connections that are kept open for a while.

It is known at which step something went wrong: until the dot that ends the message was handed to
the network, the server cannot have taken it (NotTaken); from then until its reply it may have
(Unanswered).  https://www.rfc-editor.org/rfc/rfc5321#section-4.2.5
"""

from __future__ import annotations

import re
import smtplib
from email.message import EmailMessage

from pipeline import metrics
from pipeline.clients.sending_errors import NotTaken, Unanswered
from pipeline.clients.smtp_connections import connections
from pipeline.clients.smtp_errors import ServerReply
from pipeline.clients.smtp_server import MailServer
from pipeline.errors import HeadraceError

#: How servers name the message in their queue, for whoever reads their logs.
_QUEUED_AS = re.compile(rb"(?:queued as|id=|Message accepted for delivery id) ?<?([A-Za-z0-9._-]+)")
#: An address as it may stand between angle brackets.
_WRITTEN = re.compile(r"[!-;=?-~]+@[A-Za-z0-9.-]+")
#: What may go wrong on the way, beside replies.
_BROKEN = (OSError, smtplib.SMTPException)


def send(server: MailServer, mail: EmailMessage, *, sender: str, to: str) -> str:
    """Hand over one mail; return the server's name for it, or nothing.

    `sender` and `to` are written as `ascii_address` does.
    Raises NotTaken, Refused, Misconfigured or Unanswered.
    """
    code = 0
    try:
        with metrics.PROVIDER_SECONDS.labels("smtp", "send").time():
            reply = _hand_over(server, (sender, to), _wire_form(mail))
        code = reply.code
    finally:
        metrics.PROVIDER_CALLS.labels("smtp", "send", str(code)).inc()
    if not reply.is_good:
        raise reply.meaning()
    found = _QUEUED_AS.search(reply.text)
    return found.group(1).decode() if found else ""


def check(server: MailServer) -> None:
    """Connect and sign in.  Raises NotTaken or Misconfigured."""
    connections().drop(connections().take(server, fresh=True))


def ascii_address(address: str) -> str:
    """Return an address as it is said on the wire; nothing if it cannot be.

    Names outside ASCII before the @ need SMTPUTF8, which few have.
    """
    name, _, domain = address.rpartition("@")
    try:
        written = f"{name}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return ""
    return written if _WRITTEN.fullmatch(written) else ""


def _hand_over(server: MailServer, envelope: tuple[str, str], lines: bytes) -> ServerReply:
    """Return the first bad reply, or the last one.

    Raises NotTaken, Misconfigured or Unanswered.
    """
    connection = connections().take(server)
    try:
        reply = _envelope(connection.dialogue, *envelope)
        if reply.is_good:
            reply = _message(connection.dialogue, lines)
    except HeadraceError:
        connections().drop(connection)
        raise
    connections().give_back(connection, reset=not reply.is_good)
    return reply


def _envelope(dialogue: smtplib.SMTP, sender: str, to: str) -> ServerReply:
    try:
        for step, command, argument in (
            ("sender", "mail", f"FROM:<{sender}>"),
            ("recipient", "rcpt", f"TO:<{to}>"),
            ("data", "data", ""),
        ):
            reply = ServerReply(step, *dialogue.docmd(command, argument))
            if not reply.is_good:
                break
    except _BROKEN as error:
        raise NotTaken(f"smtp: broke off before the message ({type(error).__name__})") from None
    return reply


def _message(dialogue: smtplib.SMTP, lines: bytes) -> ServerReply:
    try:
        dialogue.send(lines)
    except _BROKEN as error:
        # What was not sent is at the end, and there is the dot.
        raise NotTaken(f"smtp: broke off within the message ({type(error).__name__})") from None
    try:
        reply = ServerReply("message", *dialogue.getreply())
    except _BROKEN as error:
        raise Unanswered(f"smtp: no answer to a message ({type(error).__name__})") from None
    if not reply.is_reply:
        raise Unanswered("smtp: no readable answer to a message")
    return reply


def _wire_form(mail: EmailMessage) -> bytes:
    """Return the message as it is sent, with the dot that ends it."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", mail.as_bytes())
    stuffed = re.sub(rb"(?m)^\.", b"..", lines)
    return stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"
