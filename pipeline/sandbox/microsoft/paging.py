"""Where a listing stands, and page sizes under a `short_pages` fault."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.sandbox.calls import Call


@dataclass(frozen=True)
class Key:
    """The key of the last row of a page, None before the first; `was_empty` says that a fault
    had emptied the page, so that the next one must not be."""

    values: list[int] | None
    was_empty: bool = False


def shortened(call: Call, size: int, *, was_empty: bool = False) -> tuple[int, bool]:
    """The page size under a `short_pages` fault, and whether the fault empties this page."""
    if call.fault is None or call.fault.kind != "short_pages":
        return size, False
    if call.fault.params.get("empty") and not was_empty:
        return 0, True
    return min(size, int(call.fault.params.get("size", 1))), False
