"""A mail as its recipient reads it, out of what went over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Self


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str
    html: str
    headers: dict[str, str]

    @classmethod
    def of(cls, raw: bytes) -> Self:
        message = message_from_bytes(raw, policy=default)
        headers = {name: str(value) for name, value in message.items()}
        subject = str(message.get("Subject", ""))
        return cls(subject, _part(message, "plain"), _part(message, "html"), headers)


def _part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    return "" if found is None else str(found.get_content()).replace("\r\n", "\n")
