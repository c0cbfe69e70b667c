"""Microsoft 365 mail in the graph.

Messages: https://learn.microsoft.com/graph/api/resources/message
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.projections.graph.addresses import Mailbox, mailbox
from pipeline.projections.graph.fields import (
    epoch_ms,
    flag,
    identifier,
    mapping,
    mappings,
    moment,
    name,
    names,
    present,
    text,
)
from pipeline.projections.graph.model import Drawing, Edge, NodeId, Properties, Shape

FIELDS: tuple[str, ...] = (
    "conversationId", "parentFolderId", "subject", "bodyPreview", "from", "sender",
    "toRecipients", "ccRecipients", "bccRecipients", "receivedDateTime", "sentDateTime",
    "internetMessageId", "isRead", "isDraft", "hasAttachments", "importance", "flag",
    "categories",
)  # fmt: skip
_RECIPIENTS = {"to": "toRecipients", "cc": "ccRecipients", "bcc": "bccRecipients"}
_FLAGGED = "flagged"


def mail(node: NodeId, folder_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a message: what is on its envelope, not its body."""
    edges = _correspondents(item)
    thread = identifier(item.get("conversationId"))
    if thread:
        edges.append(Edge("IN_THREAD", thread, {}))
    return Drawing(node, _mail(folder_id, item), edges)


#: A message is the same one in whatever folder it is; folders are not drawn.
SHAPES: tuple[Shape, ...] = (Shape("messages/", "Mail", mail, keyed_by_parent=False),)


def _mail(folder_id: str, item: dict[str, Any]) -> Properties:
    received_at = moment(item.get("receivedDateTime"))
    return present(
        subject=text(item.get("subject")),
        snippet=text(item.get("bodyPreview")),
        labels=names(item.get("categories")),
        folder_id=identifier(folder_id),
        sent_at=moment(item.get("sentDateTime")),
        received_at=received_at,
        received_ms=None if received_at is None else epoch_ms(received_at),
        message_id=text(item.get("internetMessageId")),
        importance=name(item.get("importance")),
        is_read=flag(item.get("isRead")),
        is_draft=flag(item.get("isDraft")),
        is_flagged=flag(mapping(item.get("flag")).get("flagStatus") == _FLAGGED),
        has_attachments=flag(item.get("hasAttachments")),
    )


def _correspondents(item: dict[str, Any]) -> list[Edge]:
    """Return an edge to who it is from, and one per recipient and kind."""
    from_ = _mailboxes([item.get("from")]) or _mailboxes([item.get("sender")])
    edges = [Edge("SENT_BY", sender.address, present(name=sender.name)) for sender in from_]
    for kind, field in _RECIPIENTS.items():
        edges += [
            Edge("SENT_TO", recipient.address, present(kind=kind, name=recipient.name))
            for recipient in _mailboxes(mappings(item.get(field)))
        ]
    return edges


def _mailboxes(recipients: Iterable[Any]) -> list[Mailbox]:
    """Return the mailboxes of Graph's recipients; every address comes once."""
    found: dict[str, Mailbox] = {}
    for recipient in recipients:
        entry = mapping(mapping(recipient).get("emailAddress"))
        read = mailbox(entry.get("name"), entry.get("address"))
        if read is not None:
            found.setdefault(read.address, read)
    return list(found.values())
