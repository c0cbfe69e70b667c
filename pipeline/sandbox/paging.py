"""What every listing shares: page tokens, page sizes under a `short_pages` fault, sync tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.calls import Call
from pipeline.sandbox.database import Values
from pipeline.sandbox.listing import Page, Selection, read_page


@dataclass(frozen=True)
class Position:
    """Where a listing stands: its key, the revision at its first page, and since which
    revision it lists changes (None: everything).  `was_empty` says that the page before had
    been emptied by a fault, so that this one must not be."""

    first_rev: int
    since_rev: int | None = None
    key: list[Any] | None = None
    was_empty: bool = False
    extra: Any = None

    def after(self, key: list[Any], was_empty: bool) -> Position:
        return Position(self.first_rev, self.since_rev, key, was_empty, self.extra)

    def token(self, call: Call, stream_n: int) -> str:
        fields = {
            "s": stream_n,
            "f": self.first_rev,
            "c": self.since_rev,
            "k": self.key,
            "e": self.was_empty,
            "x": self.extra,
        }
        return call.store.cursors.encode("page", fields)

    @staticmethod
    def of(call: Call, token: str, stream_n: int) -> Position | None:
        """The position in a page token; None when it is not one of this stream."""
        fields = call.store.cursors.decode("page", token)
        if fields is None or fields["s"] != stream_n:
            return None
        return Position(fields["f"], fields["c"], fields["k"], fields["e"], fields["x"])


@dataclass(frozen=True)
class Listed:
    """One page of rows and the token of the next, None on the last page."""

    rows: list[Values]
    next_page_token: str | None


def list_rows(
    call: Call, columns: str, selection: Selection, position: Position, size: int
) -> Listed:
    """The page at `position`, cut or emptied as a `short_pages` fault wants it."""
    size, empty = shortened(call, position, size)
    page: Page = read_page(call.store.database, columns, selection, position.key, size)
    if page.next_key is None:
        return Listed(page.rows, None)
    following = position.after(page.next_key, empty)
    return Listed(page.rows, following.token(call, selection.stream_n))


def shortened(call: Call, position: Position, size: int) -> tuple[int, bool]:
    """The page size under a `short_pages` fault, and whether the fault empties this page."""
    if call.fault is None or call.fault.kind != "short_pages":
        return size, False
    if call.fault.params.get("empty") and not position.was_empty:
        return 0, True
    return min(size, int(call.fault.params.get("size", 1))), False


def splice(wrapper: dict[str, str], name: str, items: list[str]) -> str:
    """A JSON object of `wrapper`'s JSON texts and a list `name` of JSON texts."""
    parts = [f'"{key}":{value}' for key, value in wrapper.items()]
    return "{" + ",".join([*parts, f'"{name}":[{",".join(items)}]']) + "}"
