"""How people are named who need not be known to whoever looks."""

from __future__ import annotations

from pipeline.stores import Row


def masked_address(address: str | None) -> str:
    """Return an address with its name cut to one letter: "n…@shop.example"; empty for none."""
    name, at, domain = (address or "").rpartition("@")
    if not at:
        return "…" if address else ""
    return f"{name[:1]}…@{domain}"


def sender_of(row: Row, *, reveal: bool = False) -> str:
    """Return the address that an event or a staged mail is from, masked unless it is revealed."""
    address = (row.get("sender") or {}).get("email") or row.get("sender_email") or ""
    return str(address) if reveal else masked_address(address)


def senders_of(conditions: Row) -> list[str]:
    """Return the addresses of a condition, of which there may be one, several or none."""
    found = conditions.get("sender_email") or []
    return [found] if isinstance(found, str) else list(found)
