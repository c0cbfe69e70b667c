"""Items as no reader wants to meet them, put into an otherwise good page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Item = dict[str, Any]

_LISTS = ("items", "messages", "connections", "threads", "history", "value")
_IDS = ("id", "resourceName")


def spoil_page(page: Item, what: str, mode: str) -> Item:
    """The page (or the single item) with its first item spoilt, or with a spoilt copy added.

    `mode` is "replace" or "add"; a page without items is left alone.
    """
    name = next((name for name in _LISTS if isinstance(page.get(name), list)), None)
    if name is None:
        return WHATS[what](page)
    items = list(page[name])
    if not items:
        return page
    spoilt = WHATS[what](items[0])
    return page | {name: [spoilt, *(items if mode == "add" else items[1:])]}


def _without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in _IDS}


def _wrong_types(item: Item) -> Item:
    """Every text becomes an object, every object or list a text; the id stays."""
    return {
        name: value if name in _IDS else {"unexpected": True} if isinstance(value, str) else "?"
        for name, value in item.items()
    }


def _huge_integer(item: Item) -> Item:
    return item | {"sequence": 10**30, "sizeEstimate": 10**30, "internalDate": str(10**30)}


def _bad_dates(item: Item) -> Item:
    nonsense = "2026-13-45T99:99:99Z"
    dates = {"start", "end", "updated", "created", "due", "completed", "internalDate"}
    dates |= {"receivedDateTime", "sentDateTime", "lastModifiedDateTime"}
    moments = {"dateTime": nonsense, "timeZone": "Mars/Olympus"}
    return item | {
        name: moments if isinstance(item[name], dict) else nonsense for name in dates & set(item)
    }


WHATS: dict[str, Callable[[Item], Item]] = {
    "no_id": _without_id,
    "wrong_types": _wrong_types,
    "huge_int": _huge_integer,
    "bad_date": _bad_dates,
}
