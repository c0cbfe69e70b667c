"""Keyset pages: stable under writes, constant cost at any depth."""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.database import Database, Values


@dataclass(frozen=True)
class Order:
    """A listing order: `expression`, then the item id to make it total."""

    expression: str
    descending: bool = False

    @property
    def sql(self) -> str:
        direction = " DESC" if self.descending else ""
        return f"{self.expression}{direction}, item_id{direction}"

    def after(self, key: Sequence[Any] | None) -> tuple[str, tuple[Any, ...]]:
        if key is None:
            return "", ()
        comparison = "<" if self.descending else ">"
        return f" AND ({self.expression}, item_id) {comparison} (?, ?)", tuple(key)


BY_ID = Order("item_id")
BY_REV = Order("rev")
BY_REV_DESCENDING = Order("rev", descending=True)
BY_SORT = Order("sort")
NEWEST_FIRST = Order("sort", descending=True)


@dataclass(frozen=True)
class Selection:
    """What to list: a stream, an SQL condition over `items` with its values, and an order."""

    stream_n: int
    order: Order
    condition: str = "live = 1"
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Page:
    """Rows of one page; `next_key` is where the following one starts, None at the end."""

    rows: list[Values]
    next_key: list[Any] | None


def read_page(
    database: Database, columns: str, selection: Selection, after: Sequence[Any] | None, size: int
) -> Page:
    """Up to `size` rows after the key `after`.

    `columns` are selected behind the two key columns, which are cut off.  A size of 0 gives an
    empty page that starts the next one at the same place.
    """
    key_condition, key_values = selection.order.after(after)
    sql = (
        f"SELECT {selection.order.expression}, item_id, {columns} FROM items"
        f" WHERE stream_n = ? AND {selection.condition}{key_condition}"
        f" ORDER BY {selection.order.sql} LIMIT ?"
    )
    values = (selection.stream_n, *selection.values, *key_values, size + 1)
    rows = database.rows(sql, *values)
    more, rows = len(rows) > size, rows[:size]
    last = list(rows[-1][:2]) if rows else list(after) if after is not None else None
    if more and last is None:
        last = [*_before_everything(selection.order)]
    return Page([row[2:] for row in rows], last if more else None)


def _before_everything(order: Order) -> tuple[Any, Any]:
    """A key that every row comes after."""
    if order.descending:
        return 2**62, ""
    return "" if order.expression == "item_id" else -(2**62), ""
