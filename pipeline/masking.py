"""How people are named who need not be known to whoever looks."""

from __future__ import annotations


def masked_address(address: str | None) -> str:
    """Return an address with its name cut to one letter: "n…@shop.example"; empty for none."""
    name, at, domain = (address or "").rpartition("@")
    if not at:
        return "…" if address else ""
    return f"{name[:1]}…@{domain}"


def masked_phone(number: str | None) -> str:
    """Return the last two digits of a telephone number: "…89"; empty for none."""
    return f"…{number[-2:]}" if number else ""


def masked_name(name: str | None) -> str:
    """Return the first letters of a name: "A… L…"; empty for none."""
    return " ".join(f"{part[:1]}…" for part in (name or "").split())
