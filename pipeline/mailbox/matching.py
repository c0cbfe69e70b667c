"""Which rule a mail meets.  Reads nothing, so that the same mail always meets the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models.email_event import IMPORTANCES
from pipeline.mailbox.subjects import normalized
from pipeline.stores import Row

#: Conditions of a rule that say what mail it is for.
CONDITIONS = ("sender_email", "sender_domain", "subject_contains", "body_contains", "from_folder")
_AUTOMATIC_PRECEDENCES = ("bulk", "auto_reply")


@dataclass(frozen=True, slots=True)
class Mail:
    """What of a landed mail is looked at; addresses are in lower case, times may be unknown."""

    id: str
    internet_message_id: str
    sender_name: str
    sender_email: str
    sender_domain: str
    subject: str
    preview: str
    folder_id: str
    conversation_id: str
    received_at: datetime | None
    changed_at: datetime | None
    importance: str
    has_attachments: bool
    is_read: bool
    is_draft: bool
    is_flagged: bool
    categories: tuple[str, ...]
    has_list_unsubscribe: bool
    is_newsletter: bool
    is_automated: bool

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Mail:
        """Return the mail of a landed item; what is missing or of another kind is left empty."""
        name, email = _sender(item)
        headers = _headers(item)
        importance = _text(item.get("importance")).lower()
        return cls(
            id=_text(item.get("id")),
            internet_message_id=_text(item.get("internetMessageId")),
            sender_name=name,
            sender_email=email,
            sender_domain=domain_of(email),
            subject=_text(item.get("subject")),
            preview=_text(item.get("bodyPreview")),
            folder_id=_text(item.get("parentFolderId")),
            conversation_id=_text(item.get("conversationId")),
            received_at=moment(item.get("receivedDateTime")),
            changed_at=moment(item.get("lastModifiedDateTime")),
            importance=importance if importance in IMPORTANCES else "normal",
            has_attachments=item.get("hasAttachments") is True,
            is_read=item.get("isRead") is True,
            is_draft=item.get("isDraft") is True,
            is_flagged=_mapping(item.get("flag")).get("flagStatus") == "flagged",
            categories=tuple(_text(c) for c in _list(item.get("categories"))),
            has_list_unsubscribe="list-unsubscribe" in headers,
            is_newsletter="list-unsubscribe" in headers or "list-id" in headers,
            is_automated=_is_automated(headers),
        )

    @property
    def subject_normalized(self) -> str:
        """The subject without what differs from mail to mail."""
        return normalized(self.subject)


def domain_of(email: str) -> str:
    """Return what is after the last @ of an address, in lower case; "" without any."""
    return email.rpartition("@")[2].lower() if "@" in email else ""


def moment(text: object) -> datetime | None:
    """Return a time of Microsoft's, in UTC; None if it cannot be read."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        return None


def is_empty(conditions: Mapping[str, Any]) -> bool:
    """Return whether no condition is set, so that nothing matches."""
    return not any(conditions.get(name) for name in CONDITIONS)


def matches(conditions: Mapping[str, Any], mail: Mail) -> bool:
    """Return whether all conditions that are set hold, whatever the case of letters.

    Without any that is set, nothing matches.
    """
    return not is_empty(conditions) and all(
        _holds(name, conditions[name], mail) for name in CONDITIONS if conditions.get(name)
    )


def first_match(rules: Iterable[Row], org_rules: Iterable[Row], mail: Mail) -> Row | None:
    """Return the rule that `mail` meets: of the mailbox's own, then of its tenant's, the first.

    Both come in the order of their priorities; those that are not enabled are passed over.
    """
    for group in (rules, org_rules):
        for rule in group:
            if rule.get("is_enabled", True) and matches(rule.get("conditions") or {}, mail):
                return rule
    return None


def _holds(name: str, wanted: Any, mail: Mail) -> bool:
    if name == "sender_email":
        addresses = [wanted] if isinstance(wanted, str) else wanted
        return mail.sender_email in {address.strip().lower() for address in addresses}
    if name == "from_folder":
        return bool(mail.folder_id == wanted)
    wanted = str(wanted).casefold()
    if name == "sender_domain":
        return bool(mail.sender_domain.casefold() == wanted)
    text = mail.subject if name == "subject_contains" else mail.preview
    return bool(wanted in text.casefold())


def _sender(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and address of who wrote it; of who sent it, where nobody wrote it."""
    for field in ("from", "sender"):
        address = _mapping(_mapping(item.get(field)).get("emailAddress"))
        email = _text(address.get("address")).strip().lower()
        if email:
            return _text(address.get("name")), email
    return "", ""


def _headers(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the header lines that landed, by their names in lower case."""
    lines = (_mapping(line) for line in _list(item.get("internetMessageHeaders")))
    return {_text(line.get("name")).strip().lower(): _text(line.get("value")) for line in lines}


def _is_automated(headers: Mapping[str, str]) -> bool:
    """Return whether a machine wrote it (RFC 3834, and what Exchange adds)."""
    submitted = headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    return (
        "x-auto-response-suppress" in headers
        or submitted != "no"
        or headers.get("precedence", "").strip().lower() in _AUTOMATIC_PRECEDENCES
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
