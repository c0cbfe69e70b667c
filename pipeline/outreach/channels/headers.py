"""Headers of mail: what a message brings, each in its own line."""

from __future__ import annotations

import re

from pipeline.outreach.channels.base import Outgoing

#: All that any program may take for the end of a line, and what no header may hold.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: Made of other parts of a message, or by who carries it; SendGrid refuses mail that brings them.
#: https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations
_RESERVED = frozenset(
    (
        *("from", "to", "cc", "bcc", "subject", "reply-to", "date", "message-id", "received"),
        *("mime-version", "content-type", "content-transfer-encoding", "dkim-signature"),
        *("x-sg-id", "x-sg-eid"),
    )
)


def one_line(text: str) -> str:
    """Return `text` with a space in place of each run of line breaks and control characters."""
    return _BREAKS.sub(" ", text).strip()


def headers_of(message: Outgoing) -> dict[str, str]:
    """Return the Message-ID and the other headers that a message brings."""
    headers = {name: value for name, value in message.headers.items() if _is_free(name)}
    if message.message_id_header:
        headers["Message-ID"] = message.message_id_header
    return {name: one_line(value) for name, value in headers.items()}


def _is_free(name: str) -> bool:
    return name.lower() not in _RESERVED
