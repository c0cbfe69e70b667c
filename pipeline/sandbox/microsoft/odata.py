"""OData's query options and Graph's preferences, as far as mail needs them.

https://learn.microsoft.com/graph/query-parameters
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call
from pipeline.sandbox.clock import parse_rfc3339_ms
from pipeline.sandbox.microsoft.errors import bad_request, graph_error
from pipeline.sandbox.microsoft.rows import Message, plain_text

#: What Graph shows only to those who ask for it.
_ON_REQUEST = frozenset(("internetMessageHeaders", "singleValueExtendedProperties"))
_PROPERTIES = frozenset(
    (
        *("id", "changeKey", "parentFolderId", "createdDateTime", "lastModifiedDateTime"),
        *("receivedDateTime", "sentDateTime", "categories", "hasAttachments", "subject"),
        *("internetMessageId", "internetMessageHeaders", "body", "bodyPreview", "uniqueBody"),
        *("importance", "conversationId", "conversationIndex", "isRead", "isDraft", "webLink"),
        *("isDeliveryReceiptRequested", "isReadReceiptRequested", "inferenceClassification"),
        *("sender", "from", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "flag"),
    )
)
Condition = Callable[[Message], bool]


def prefers_immutable(call: Call) -> bool:
    """Whether ids are wanted that survive a move; it has to be said every time."""
    return 'idtype="immutableid"' in call.headers.get("prefer", "").lower()


def in_preferred_form(call: Call, message: Message) -> Message:
    """The body as plain text, if that is preferred and there is one."""
    wanted = 'outlook.body-content-type="text"' in call.headers.get("prefer", "")
    if not wanted or "body" not in message or message["body"].get("contentType") != "html":
        return message
    text = plain_text(str(message["body"].get("content", "")))
    return message | {"body": {"contentType": "text", "content": text}}


def check_options(call: Call, *known: str) -> None:
    """Raise 400 for an option that would otherwise be passed over in silence."""
    for name, _ in call.query:
        if name.startswith("$") and name[1:] not in known:
            raise bad_request(
                f"The query option '{name}' is not supported.", "ErrorInvalidUrlQuery"
            )


def page_size(call: Call, default: int = 10, most: int = 1000) -> int:
    """What `Prefer: odata.maxpagesize` says."""
    found = re.search(r"odata\.maxpagesize=(\d+)", call.headers.get("prefer", ""))
    return default if found is None else max(1, min(int(found[1]), most))


def top(call: Call) -> int | None:
    """`$top`; None when it is not there."""
    value = call.text("$top")
    if value is None:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= 1000:
        raise bad_request(f"Invalid value '{value}' for $top query option found.")
    return int(value)


def applied_preferences(call: Call) -> tuple[tuple[str, str], ...]:
    """The header that says which wishes were granted."""
    asked = call.headers.get("prefer", "")
    return (("preference-applied", asked),) if asked else ()


def selected(call: Call) -> list[str] | None:
    """The names in `$select`; None for what is shown without one."""
    text = call.text("$select")
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if name not in _PROPERTIES), None)
    if unknown is not None:
        raise bad_request(
            f"Could not find a property named '{unknown}' on type 'microsoft.graph.message'."
        )
    return names


def shaped(message: Message, names: list[str] | None, *, expanded: bool = False) -> Message:
    """A message with only what was asked for; its id and etag are always there."""
    if names is None:
        shown = {name: value for name, value in message.items() if name not in _ON_REQUEST}
    else:
        wanted = ("@odata.etag", "id", *names)
        shown = {name: message[name] for name in wanted if name in message}
    if expanded and "singleValueExtendedProperties" in message:
        shown["singleValueExtendedProperties"] = message["singleValueExtendedProperties"]
    return shown


def descending(call: Call) -> bool:
    """The direction of `$orderby`: mail can be ordered by when it was received."""
    text = (call.text("$orderby") or "receivedDateTime desc").strip()
    name, _, direction = text.partition(" ")
    if name != "receivedDateTime" or direction.strip().lower() not in ("", "asc", "desc"):
        raise bad_request(f"The $orderby '{text}' is not supported.", "ErrorInvalidUrlQuery")
    return direction.strip().lower() == "desc"


# $filter


def condition(call: Call) -> Condition:
    """What `$filter` lets through."""
    text = call.text("$filter")
    if text is None:
        return lambda _: True
    parts = _conjuncts(text)
    if call.text("$orderby") and not parts[0].startswith("receivedDateTime "):
        message = "The restriction or sort order is too complex for this operation."
        raise graph_error(HTTPStatus.BAD_REQUEST, "InefficientFilter", message)
    conditions = [_condition(part) for part in parts]
    return lambda message: all(holds(message) for holds in conditions)


def received_since(call: Call) -> int:
    """The bound of a delta's `$filter`, which takes no other, as epoch milliseconds."""
    text = call.text("$filter")
    if text is None:
        return 0
    found = re.fullmatch(r"\s*receivedDateTime\s+(ge|gt)\s+(\S+)\s*", text)
    if found is None:
        raise _unsupported(text)
    return _moment_ms(found[2], text) + (found[1] == "gt")


def _conjuncts(text: str) -> list[str]:
    """The parts between `and`, without those inside brackets and quotes."""
    pieces = re.findall(r"'(?:[^']|'')*'|\(|\)|\s+and\s+|[^'()\s]+|\s+", text)
    parts, depth = [""], 0
    for piece in pieces:
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and piece.strip() == "and":
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


_COMPARISON = re.compile(r"([A-Za-z/]+)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|\S+)")
_CATEGORY = re.compile(r"categories/any\(\w+:\s*\w+ eq '((?:[^']|'')*)'\)", re.IGNORECASE)
_EXTENDED = re.compile(
    r"singleValueExtendedProperties/any\(\w+:\s*\w+/id eq '((?:[^']|'')*)'"
    r" and \w+/value eq '((?:[^']|'')*)'\)",
    re.IGNORECASE,
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "ge": lambda left, right: left >= right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
    "lt": lambda left, right: left < right,
}
_EQUALITY = frozenset(
    ("isRead", "isDraft", "hasAttachments", "importance", "conversationId", "internetMessageId")
) | {"subject", "from/emailAddress/address", "flag/flagStatus"}


def _condition(text: str) -> Condition:
    found = _CATEGORY.fullmatch(text)
    if found is not None:
        category = _unquoted(found[1])
        return lambda message: category in message["categories"]
    found = _EXTENDED.fullmatch(text)
    if found is not None:
        wanted = {"id": _unquoted(found[1]), "value": _unquoted(found[2])}
        return lambda message: wanted in message.get("singleValueExtendedProperties", ())
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise _unsupported(text)
    path, operator, literal = found.groups()
    return _compared(path, operator, literal, text)


def _compared(path: str, operator: str, literal: str, text: str) -> Condition:
    compare = _OPERATORS[operator]
    if path in ("receivedDateTime", "sentDateTime", "lastModifiedDateTime"):
        bound = _moment_ms(literal, text)
        return lambda message: compare(parse_rfc3339_ms(message[path]), bound)
    if path not in _EQUALITY or operator not in ("eq", "ne"):
        raise _unsupported(text)
    value: Any = _unquoted(literal[1:-1]) if literal.startswith("'") else literal == "true"
    return lambda message: compare(_folded(_at(message, path)), _folded(value))


def _at(message: Message, path: str) -> Any:
    value: Any = message
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _unquoted(text: str) -> str:
    return text.replace("''", "'")


def _moment_ms(literal: str, text: str) -> int:
    try:
        return parse_rfc3339_ms(literal if "T" in literal else f"{literal}T00:00:00Z")
    except ValueError:
        raise _unsupported(text) from None


def _unsupported(text: str) -> ApiError:
    message = f"The query filter contains one or more invalid nodes: {text}"
    return graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidUrlQueryFilter", message)
