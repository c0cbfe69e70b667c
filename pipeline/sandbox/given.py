"""What control is told, made into what the sandbox works with.  Raises BadField."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pipeline.sandbox.changes import Change, Put, Remove, Rename
from pipeline.sandbox.fields import BadField, Fields
from pipeline.sandbox.generate import Size
from pipeline.sandbox.grants import KNOWN_SCOPES, full_scopes
from pipeline.sandbox.stamps import SOURCES

_CHANGE_FIELDS = ("kind", "source", "stream", "item_id")


def size_given(given: dict[str, Any]) -> Size:
    """What a user is to have; nothing of what is not named."""
    names = [field.name for field in fields(Size)]
    checked = Fields(given, names, "size.")
    return Size(**{name: checked.whole(name, 0, 0) for name in names})


def change_given(given: dict[str, Any]) -> Change:
    """One change to one item."""
    checked = Fields(given, (*_CHANGE_FIELDS, "item", "new_item_id"), "change.")
    kind = checked.choice("kind", ("put", "remove", "rename"))
    source = checked.choice("source", SOURCES)
    stream, item_id = checked.text("stream"), checked.text("item_id")
    if kind == "remove":
        return Remove(source, stream, item_id)
    if kind == "put":
        return Put(source, stream, item_id, checked.object("item"))
    new_item_id, item = checked.text("new_item_id"), checked.object("item")
    return Rename(source, stream, item_id, new_item_id, item)


def scopes_given(given: Fields, default: tuple[str, ...]) -> frozenset[str]:
    """Google's scopes, which must be known; `default` if none are named."""
    names = given.texts("scopes")
    scopes = frozenset(default) if names is None else full_scopes(" ".join(names))
    unknown = sorted(scopes - KNOWN_SCOPES)
    if unknown:
        raise BadField(f"scopes: unknown {unknown[0]!r}")
    return scopes
