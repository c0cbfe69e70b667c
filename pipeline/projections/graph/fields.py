"""Reading provider JSON that may be anything: what does not fit is left out, never an error."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.projections.graph.model import NodeId, Properties, Value

#: Longer texts are cut: the graph is for finding, the record keeps the whole.
TEXT_CHARACTERS = 1000
#: Longer names and words are cut.
NAME_CHARACTERS = 200
#: Google allows event ids of 1024 characters.
ID_CHARACTERS = 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def text(value: Any, limit: int = TEXT_CHARACTERS) -> str | None:
    """Return the first `limit` characters of a text that can be stored, or None."""
    if not isinstance(value, str) or not value:
        return None
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()  # halves of a pair become "?"
    return value[:limit].replace("\x00", "") or None


def texts(values: Any) -> list[str]:
    """Return the texts of a list."""
    return [found for value in _list(values) if (found := text(value))]


def name(value: Any) -> str | None:
    """Return a short text with single spaces only, or None."""
    return text(" ".join(value.split()), NAME_CHARACTERS) if isinstance(value, str) else None


def identifier(value: Any) -> str | None:
    """Return a provider's id as it is, or None; one that is too long for an index is none."""
    return value if isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS else None


def names(values: Any) -> list[str]:
    """Return the short texts of a list."""
    return [found for value in _list(values) if (found := name(value))]


def sibling_key(node: NodeId, parent_id: str, item_id: Any) -> str | None:
    """Return the key of another item with the same parent; None if it is `node` itself."""
    sibling = identifier(item_id)
    key = f"{parent_id}/{sibling}"
    return None if sibling is None or key == node.key else key


def integer(value: Any) -> int | None:
    """Return a whole number, also one that is written as text, or None."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 - 1 else None


def flag(value: Any) -> bool | None:
    """Return True, or None: providers leave out what is false, and so does the graph."""
    return True if value is True else None


def moment(value: Any, zone: Any = None) -> datetime | None:
    """Return an RFC 3339 time in UTC; one without offset is in the IANA zone `zone`, or None."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=_zone(zone))
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


@lru_cache(maxsize=1000)
def _zone(zone: Any) -> ZoneInfo:
    """Raises ValueError for what is no zone."""
    try:
        return ZoneInfo(zone)
    except (OSError, LookupError, TypeError, AttributeError):
        raise ValueError from None


def day(value: Any) -> date | None:
    """Return the date that a text starts with, or None."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def epoch_ms(value: datetime | date) -> int:
    """Return milliseconds since 1970; a date counts as its midnight in UTC."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (value - _EPOCH) // _MILLISECOND


def from_epoch_ms(value: Any) -> datetime | None:
    """Return the time that lies so many milliseconds after 1970, or None."""
    number = integer(value)
    try:
        return None if number is None else _EPOCH + number * _MILLISECOND
    except OverflowError:
        return None


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(values: Any) -> list[dict[str, Any]]:
    """Return the objects of a list."""
    return [value for value in _list(values) if isinstance(value, dict)]


def primary_first(values: Any) -> list[dict[str, Any]]:
    """Return the objects of a People API list, the primary one first."""
    return sorted(mappings(values), key=lambda value: not is_primary(value))


def is_primary(value: dict[str, Any]) -> bool:
    """Say whether an object of a People API list is the primary one."""
    return mapping(value.get("metadata")).get("primary") is True


def present(**values: Value | None) -> Properties:
    """Return the values that there are; an empty list is none."""
    return {key: value for key, value in values.items() if value is not None and value != []}


def _list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []
