"""How people are named who need not be known to whoever looks."""

from __future__ import annotations

from pipeline.masking import masked_address
from pipeline.stores import Row


def sender_of(row: Row, *, reveal: bool = False) -> str:
    """Return the address that an event or a staged mail is from, masked unless it is revealed."""
    address = (row.get("sender") or {}).get("email") or row.get("sender_email") or ""
    return str(address) if reveal else masked_address(address)


def senders_of(conditions: Row) -> list[str]:
    """Return the addresses of a condition, of which there may be one, several or none."""
    found = conditions.get("sender_email") or []
    return [found] if isinstance(found, str) else list(found)
