"""Values on their way to a Bolt server and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytz  # type: ignore[import-untyped]

from pipeline.errors import Permanent

_AS_THEY_ARE = frozenset({str, bool, float, bytes, bytearray, date, timedelta, type(None)})


def to_bolt(value: Any) -> Any:
    """Return `value`, and whatever is in it, as the driver may have it.

    An aware datetime becomes one in `pytz.UTC`: the driver reads the offset of a
    `zoneinfo` datetime wrongly and may crash the process over it
    (https://github.com/python/cpython/issues/125318), and ArcadeDB forgets that a
    datetime with a fixed offset has a zone.  Lists of mixed values, which Neo4j
    cannot store, become lists of one type without nulls.

    Raises Permanent for a naive datetime, a time with a zone, an integer of more
    than 64 bits, or a type that the graph does not know.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Mapping):
        return {str(name): to_bolt(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return _list(value)
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str | float | date):
        return value
    raise Permanent(f"A {kind.__name__} cannot be stored in the graph")


def _integer(value: int) -> int:
    """Return a plain `int`, since MongoDB's integers are of a type of their own."""
    if not -(2**63) <= value < 2**63 - 1:  # the driver refuses the largest one
        raise Permanent("An integer of more than 64 bits cannot be stored in the graph")
    return int(value)


def _moment(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise Permanent("A datetime without a zone cannot be stored in the graph")
    try:
        naive = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise Permanent("A datetime before year 1 or after 9999 in UTC") from None
    moment: datetime = pytz.UTC.localize(naive)
    return moment


def _list(values: Iterable[Any]) -> list[Any]:
    items = list(values)
    if any(isinstance(item, Mapping | list | tuple) for item in items):
        return [to_bolt(item) for item in items]
    scalars = [to_bolt(item) for item in items if item is not None]
    kinds = {type(item) for item in scalars}
    if len(kinds) < 2:
        return scalars
    if kinds == {int, float}:
        return [float(item) for item in scalars]
    return [str(item) for item in scalars]


def from_bolt(value: Any) -> Any:
    """Return a value of an answer as plain Python; datetimes in UTC, to the microsecond."""
    if isinstance(value, list):
        return [from_bolt(item) for item in value]
    if isinstance(value, dict):
        return {name: from_bolt(item) for name, item in value.items()}
    if not hasattr(value, "to_native"):
        return value
    native = value.to_native()
    if isinstance(native, datetime) and native.tzinfo is not None:
        return native.astimezone(UTC)
    return native
