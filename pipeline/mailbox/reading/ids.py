"""Ids that a person typed."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from bson.errors import InvalidId


def object_id(text: Any) -> ObjectId | None:
    """Return the id that `text` is, None if it cannot be one."""
    try:
        return ObjectId(text)
    except (InvalidId, TypeError):
        return None
