"""How a recipient's answer comes to whoever sent the mail: into the mailbox that is here."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from email.utils import format_datetime, parseaddr
from typing import Any

from pipeline.sandbox.changes import Put
from pipeline.sandbox.clock import epoch_ms
from pipeline.sandbox.microsoft.rows import INBOX
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.stamps import GMAIL
from pipeline.sandbox.store import Store

_SNIPPET_LENGTH = 120


def reply(store: Store, message: Message, text: str) -> str:
    """Put an answer to a mail into its sender's mailbox; returns what became of it."""
    address = parseaddr(message.header("Reply-To") or message.from_)[1].lower()
    user = store.find_user(address)
    if user is None:
        return "no mailbox here"
    headers = _headers(store, message, address)
    if store.mail.has_mailbox(user):
        store.mail.add_message(user, INBOX, _graph_message(headers, text))
        return "to microsoft_mail"
    identifier = secrets.token_hex(8)
    put = Put(GMAIL, "messages", identifier, _gmail_message(store, identifier, headers, text))
    store.apply(user.user, put, store.clock.now())
    return "to google_gmail"


def _headers(store: Store, message: Message, address: str) -> dict[str, str]:
    subject = message.subject
    answered = message.header("Message-ID")
    domain = message.to.rpartition("@")[2]
    return {
        "From": message.to,
        "To": address,
        "Subject": subject if subject[:3].lower() == "re:" else f"Re: {subject}",
        "Date": format_datetime(store.clock.now()),
        "Message-ID": f"<{secrets.token_hex(12)}@{domain}>",
        "In-Reply-To": answered,
        "References": f"{message.header('References')} {answered}".strip(),
    }


def _gmail_message(
    store: Store, identifier: str, headers: dict[str, str], text: str
) -> dict[str, Any]:
    """https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages"""
    content = text.encode()
    return {
        "id": identifier,
        "threadId": identifier,
        "labelIds": ["INBOX", "UNREAD", "CATEGORY_PERSONAL"],
        "snippet": text[:_SNIPPET_LENGTH],
        "internalDate": str(epoch_ms(store.clock.now())),
        "payload": {
            "partId": "",
            "mimeType": "text/plain",
            "filename": "",
            "headers": [
                *({"name": name, "value": value} for name, value in headers.items()),
                {"name": "Content-Type", "value": 'text/plain; charset="UTF-8"'},
            ],
            "body": {"size": len(content), "data": urlsafe_b64encode(content).decode("ascii")},
        },
    }


def _graph_message(headers: dict[str, str], text: str) -> dict[str, Any]:
    """https://learn.microsoft.com/graph/api/resources/message"""
    sender = {"emailAddress": {"name": headers["From"], "address": headers["From"]}}
    recipient = {"emailAddress": {"name": headers["To"], "address": headers["To"]}}
    return {
        "internetMessageId": headers["Message-ID"],
        "subject": headers["Subject"],
        "body": {"contentType": "text", "content": text},
        "from": sender,
        "sender": sender,
        "toRecipients": [recipient],
        "internetMessageHeaders": [
            {"name": name, "value": headers[name]} for name in ("In-Reply-To", "References")
        ],
    }
