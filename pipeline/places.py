"""Places in lists by time, whose newest rows come first, or last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from bson import ObjectId
from bson.errors import InvalidId

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a row: when it was, in milliseconds as MongoDB keeps it, and its id."""

    at: datetime
    id: ObjectId | str

    @classmethod
    def of(cls, row: Row, field: str) -> Self:
        """Return the place behind `row` in a list by `field`."""
        return cls(row[field], row["_id"])

    @classmethod
    def parsed(cls, text: str, as_id: Callable[[str], ObjectId | str] = ObjectId) -> Self:
        """Return the place that `str` made a text of.  Raises ValueError for any other text.

        `as_id` makes an id of its text: `str` where ids are texts.
        """
        milliseconds, _, name = text.partition("-")
        if not milliseconds.isdecimal() or not milliseconds.isascii() or len(milliseconds) > 14:
            raise ValueError("this is not a place in the list")
        try:
            at = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
            return cls(at, as_id(name))
        except (InvalidId, OverflowError, OSError):
            raise ValueError("this is not a place in the list") from None

    def __str__(self) -> str:
        return f"{round(self.at.timestamp() * 1000)}-{self.id}"

    def condition(self, field: str, *, newest_last: bool = False) -> Row:
        """Return the condition for rows behind this place."""
        behind = "$gt" if newest_last else "$lt"
        return {"$or": [{field: {behind: self.at}}, {field: self.at, "_id": {behind: self.id}}]}


def page_of(found: list[Row], limit: int, field: str) -> tuple[list[Row], str]:
    """Return the rows of a page, and the place of the next one, of `limit` + 1 rows looked up."""
    shown = found[:limit]
    return shown, str(Place.of(shown[-1], field)) if len(found) > limit else ""
