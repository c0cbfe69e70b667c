"""Senders of a tenant, with how much of what they may send is used."""

from __future__ import annotations

from dataclasses import dataclass

from models import SenderIdentity
from pipeline.outreach import budgets
from pipeline.outreach import senders as service
from pipeline.outreach.budgets import Shown
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class SenderRow:
    """A sender without its credentials; `has_credentials`: it has some of its own.

    `standing` is how much of its budgets is in use, and when it may send next.
    """

    sender: Row
    has_credentials: bool
    standing: Shown

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.sender["_id"])

    @property
    def may_send(self) -> bool:
        """Whether it sends now: verified, and nobody has paused it."""
        return self.sender["status"] == "verified" and not self.sender.get("is_paused")


def listed(tenant_id: str) -> list[SenderRow]:
    """Return the senders of a tenant by name.  Raises RedisError where budgets are asked for."""
    rows = collection(SenderIdentity).find({"tenant_id": tenant_id}).sort([("name", 1), ("_id", 1)])
    return [_row(row) for row in rows]


def find(tenant_id: str, sender_id: str) -> SenderRow:
    """Return a sender.  Raises Gone."""
    return _row(service.get(tenant_id, sender_id))


def _row(row: Row) -> SenderRow:
    sender = {name: value for name, value in row.items() if name != "credentials"}
    return SenderRow(sender, bool(row.get("credentials")), budgets.shown(row))
