"""A mail server on loopback that takes, refuses or drops what it is given, and a user to mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from java_servers import free_port

from models import User
from pipeline.clients.smtp_connections import connections
from pipeline.stores import Row, collection

Setting = Callable[..., None]


@dataclass
class MailServer:
    """What it has taken, and how it answers: by step, else with yes; `drop` says nothing."""

    taken: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self.answers.get("recipient"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.get("message", "250 OK: queued as 4ZQ7")
        if answer.startswith(("250", "drop")):
            assert isinstance(envelope.content, bytes)
            self.taken.append(
                message_from_bytes(envelope.content, EmailMessage, policy=policy.SMTP)  # type: ignore[arg-type]
            )
        if answer == "drop":
            assert server.transport is not None
            server.transport.close()
        return answer


@pytest.fixture
def mail_server(stores: None, setting: Setting) -> Iterator[MailServer]:
    """The server of SMTP_URL, and an address that mail is from."""
    handler = MailServer()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    setting(SMTP_URL=f"smtp://127.0.0.1:{port}", EMAIL_FROM="headrace@ours.example")
    yield handler
    connections().close()
    controller.stop()


@pytest.fixture
def user(stores: None) -> Row:
    """A user with an address, whose quiet hours are never."""
    row = {
        "_id": f"user-{uuid4().hex[:8]}",
        "tenant_id": "acme",
        "email": f"{uuid4().hex[:8]}@theirs.example",
        "display_name": "Ada",
        "is_active": True,
        "email_preferences": {"quiet_start": "00:00", "quiet_end": "00:00"},
        "created_at": datetime.now(UTC),
    }
    collection(User).insert_one(dict(row))
    return row
