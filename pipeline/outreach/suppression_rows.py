"""What the row of a suppressed address holds: every reason there is, and the strongest on top.

The same objections make the same row, in whatever order they come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from pipeline.stores import Row

#: Reasons, the one that binds most first.
STRONGEST_FIRST = ("spam_report", "unsubscribed", "bounced", "invalid", "manual")
#: Of whom they are, whatever the reasons.
_IDENTITY = ("_id", "tenant_id", "channel", "address_hash", "address")
_ABOUT = ("source", "campaign_id", "contact_id", "message_id", "note", "by")


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason not to write to an address any more, who gave it, and when.

    `expires_at` empty: it holds until somebody lifts it.
    """

    tenant_id: str
    channel: str
    address: str
    reason: str
    source: str
    at: datetime
    campaign_id: str = ""
    contact_id: str = ""
    message_id: str = ""
    note: str = ""
    by: str = ""
    expires_at: datetime | None = None

    @property
    def id(self) -> str:
        """The id of the row that it goes into."""
        return suppression_id(self.tenant_id, self.channel, self.address)


def normalized(channel: str, address: str) -> str:
    """Return an address as it is stored: e-mail in lower case, a telephone number in E.164.

    What is no telephone number stays as it is, without the blanks around it.
    """
    bare = address.strip()
    if channel == "email":
        return bare.lower()
    try:
        number = phonenumbers.parse(bare, None)
    except phonenumbers.NumberParseException:
        return bare
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def address_hash(channel: str, address: str) -> str:
    """Return what stands for an address where it must not be kept itself."""
    return hashlib.sha256(normalized(channel, address).encode()).hexdigest()


def suppression_id(tenant_id: str, channel: str, address: str) -> str:
    """Return the id of the row of an address."""
    return f"{tenant_id}:{channel}:{address_hash(channel, address)}"


def reason_of(row: Row, now: datetime) -> str | None:
    """Return the strongest reason that holds, or None if all are over."""
    for reason in STRONGEST_FIRST:
        ground = row["grounds"].get(reason)
        if ground is not None and not _is_over(ground, now):
            return reason
    return None


def added_to(row: Row | None, objections: Iterable[Objection]) -> Row:
    """Return the row of an address with these objections, all of that address."""
    grounds: dict[str, Row] = dict(row["grounds"]) if row else {}
    identity: Row = {}
    for objection in objections:
        grounds[objection.reason] = _ground(grounds.get(objection.reason), objection)
        identity = _identity(objection)
    return _row(identity, grounds)


def without(row: Row, reason: str) -> Row | None:
    """Return a row without one of its reasons; None if it has no other."""
    grounds = {name: ground for name, ground in row["grounds"].items() if name != reason}
    identity = {name: row[name] for name in _IDENTITY if name in row}
    return _row(identity, grounds) if grounds else None


def _identity(objection: Objection) -> Row:
    return {
        "_id": objection.id,
        "tenant_id": objection.tenant_id,
        "channel": objection.channel,
        "address_hash": address_hash(objection.channel, objection.address),
        "address": normalized(objection.channel, objection.address),
    }


def _ground(known: Row | None, objection: Objection) -> Row:
    """Return what is kept of one reason; the newest of its objections tells about it."""
    about = {name: said for name in _ABOUT if (said := getattr(objection, name))}
    new: Row = about | {
        "count": 1,
        "first_seen_at": objection.at,
        "last_seen_at": objection.at,
        "expires_at": objection.expires_at,
    }
    return _summed([new] if known is None else [known, new])


def _row(identity: Row, grounds: Mapping[str, Row]) -> Row:
    in_order = {reason: grounds[reason] for reason in STRONGEST_FIRST if reason in grounds}
    reason, strongest = next(iter(in_order.items()))
    about = {name: strongest[name] for name in _ABOUT if name in strongest}
    summed = {n: v for n, v in _summed(list(in_order.values())).items() if n not in _ABOUT}
    return identity | about | summed | {"reason": reason, "grounds": in_order}


def _summed(grounds: list[Row]) -> Row:
    """Return the newest of `grounds`, with the count and the times of all."""
    newest = max(grounds, key=lambda g: (g["last_seen_at"], g.get("message_id", "")))
    ends = [ground.get("expires_at") for ground in grounds]
    return newest | {
        "count": sum(ground["count"] for ground in grounds),
        "first_seen_at": min(ground["first_seen_at"] for ground in grounds),
        "last_seen_at": max(ground["last_seen_at"] for ground in grounds),
        "expires_at": None if None in ends else max(end for end in ends if end),
    }


def _is_over(ground: Row, now: datetime) -> bool:
    expires_at: datetime | None = ground.get("expires_at")
    return expires_at is not None and expires_at <= now
