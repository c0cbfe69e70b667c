"""What landed mail says of itself: what it answers, who wrote it, and whether a program did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from pipeline.stores import Row

_MESSAGE_ID = re.compile(r"<[^<>\s]{3,998}>")
#: https://www.rfc-editor.org/rfc/rfc3834
_BY_HAND = ("", "no")
_AUTOMATIC_PRECEDENCE = ("bulk", "junk", "list", "auto_reply")
#: Delivery reports say that something did not arrive.
_REPORT = "multipart/report"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of a mailbox.  `answers` are the Message-IDs that it refers to, nearest first."""

    answers: tuple[str, ...]
    from_address: str
    at: datetime
    is_automatic: bool
    is_own: bool


def gmail(item: Row) -> Mail:
    """Return what a message of Gmail's says."""
    payload = item.get("payload") or {}
    headers = _by_name(payload.get("headers") or ())
    automatic = _is_automatic(headers) or payload.get("mimeType") == _REPORT
    return Mail(
        answers=_answers(headers),
        from_address=parseaddr(headers.get("from", ""))[1].lower(),
        at=datetime.fromtimestamp(int(item.get("internalDate", 0)) / 1000, UTC),
        is_automatic=automatic,
        is_own=bool({"SENT", "DRAFT"} & set(item.get("labelIds") or ())),
    )


def microsoft(item: Row) -> Mail:
    """Return what a message of Microsoft Graph's says."""
    headers = _by_name(item.get("internetMessageHeaders") or ())
    sender = ((item.get("from") or {}).get("emailAddress") or {}).get("address") or ""
    return Mail(
        answers=_answers(headers),
        from_address=sender.lower(),
        at=datetime.fromisoformat(item["receivedDateTime"]),
        is_automatic=_is_automatic(headers),
        is_own=bool(item.get("isDraft")),
    )


def _by_name(headers: Any) -> dict[str, str]:
    return {str(h.get("name", "")).lower(): str(h.get("value", "")) for h in headers}


def _answers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return In-Reply-To, then References from the last one back to the first."""
    direct = _MESSAGE_ID.findall(headers.get("in-reply-to", ""))
    thread = _MESSAGE_ID.findall(headers.get("references", ""))
    return tuple(dict.fromkeys([*direct, *reversed(thread)]))


def _is_automatic(headers: Mapping[str, str]) -> bool:
    return (
        headers.get("auto-submitted", "").partition(";")[0].strip().lower() not in _BY_HAND
        or bool(headers.get("x-auto-response-suppress"))
        or headers.get("precedence", "").strip().lower() in _AUTOMATIC_PRECEDENCE
    )
