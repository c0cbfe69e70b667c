"""Gmail in the graph.

Messages: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pipeline.projections.graph.addresses import decoded, mailboxes
from pipeline.projections.graph.fields import (
    epoch_ms,
    from_epoch_ms,
    identifier,
    integer,
    mapping,
    mappings,
    names,
    present,
    text,
)
from pipeline.projections.graph.model import Drawing, Edge, NodeId, Properties, Shape

FIELDS: tuple[str, ...] = (
    "threadId",
    "labelIds",
    "snippet",
    "internalDate",
    "sizeEstimate",
    "payload.headers",
)
_RECIPIENTS = ("to", "cc", "bcc")


def mail(node: NodeId, _parent_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a message: what is on its envelope, not its body."""
    headers = _headers(item)
    edges = _correspondents(headers)
    thread = identifier(item.get("threadId"))
    if thread:
        edges.append(Edge("IN_THREAD", thread, {}))
    return Drawing(node, _mail(item, headers), edges)


SHAPES: tuple[Shape, ...] = (Shape("messages", "Mail", mail),)


def _headers(item: dict[str, Any]) -> Mapping[str, list[str]]:
    """Return the values of each header, by its name in lower-case."""
    found: dict[str, list[str]] = defaultdict(list)
    for header in mappings(mapping(item.get("payload")).get("headers")):
        title, value = header.get("name"), header.get("value")
        if isinstance(title, str) and isinstance(value, str):
            found[title.lower()].append(value)
    return found


def _mail(item: dict[str, Any], headers: Mapping[str, list[str]]) -> Properties:
    received_at = from_epoch_ms(item.get("internalDate"))
    return present(
        subject=text(decoded(_first(headers, "subject"))),
        snippet=text(item.get("snippet")),
        labels=names(item.get("labelIds")),
        sent_at=_date(_first(headers, "date")),
        received_at=received_at,
        received_ms=None if received_at is None else epoch_ms(received_at),
        message_id=text(_first(headers, "message-id").strip()),
        size_bytes=integer(item.get("sizeEstimate")),
    )


def _first(headers: Mapping[str, list[str]], title: str) -> str:
    values: Iterable[str] = headers.get(title, ())
    return next(iter(values), "")


def _date(value: str) -> datetime | None:
    """Return the time of a Date header; "-0000" means UTC of an unknown place (RFC 5322)."""
    try:
        parsed = parsedate_to_datetime(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _correspondents(headers: Mapping[str, list[str]]) -> list[Edge]:
    """Return one edge per sender, and one per recipient and kind."""
    edges = [
        Edge("SENT_BY", sender.address, present(name=sender.name))
        for sender in mailboxes(headers.get("from", ()))
    ]
    for kind in _RECIPIENTS:
        edges += [
            Edge("SENT_TO", recipient.address, present(kind=kind, name=recipient.name))
            for recipient in mailboxes(headers.get(kind, ()))
        ]
    return edges
