"""Parts of lists, and where the next part begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pymongo import ASCENDING, DESCENDING

from pipeline.places import Place, page_of
from pipeline.stores import Row, collection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next` is where the next part begins, empty at the end."""

    rows: list[T] = field(default_factory=list)
    next: str = ""


def by_time(
    model: type[Any],
    query: Row,
    order: str,
    limit: int,
    after: str = "",
    *,
    newest_last: bool = False,
    without: tuple[str, ...] = (),
) -> tuple[list[Row], str]:
    """Return rows in the order of the time `order`, behind the place `after`, and the next place.

    Raises ValueError for a place that is none.
    """
    wanted = [query]
    if after:
        wanted.append(Place.parsed(after, str).condition(order, newest_last=newest_last))
    way = ASCENDING if newest_last else DESCENDING
    fields = dict.fromkeys(without, 0) or None
    found = collection(model).find({"$and": wanted}, fields).sort([(order, way), ("_id", way)])
    return page_of(list(found.limit(limit + 1)), limit, order)


def by_id(model: type[Any], query: Row, limit: int, after: str = "") -> tuple[list[Row], str]:
    """Return rows in the order of their ids, behind the id `after`, and the next such id."""
    wanted = [query, *([{"_id": {"$gt": after}}] if after else [])]
    found = list(collection(model).find({"$and": wanted}).sort("_id", ASCENDING).limit(limit + 1))
    shown = found[:limit]
    return shown, str(shown[-1]["_id"]) if len(found) > limit else ""
