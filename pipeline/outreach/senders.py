"""Whom a tenant's messages come from: made, changed, verified, paused.

Only a verified sender sends.  What was verified holds until its address, provider or
credentials change.  Refusals are Refused, which names the field; a sender that is not the
tenant's is Gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models import Campaign, OutboundMessage, SenderIdentity, User
from models.outreach import SENDER_PROVIDERS, SendLimits
from pipeline.audit import Entry, noted
from pipeline.errors import Changed, Gone, Misconfigured, Permanent
from pipeline.outreach import channels, promoting
from pipeline.outreach.advancing import Wake
from pipeline.outreach.contact_fields import email, phone
from pipeline.outreach.credentials import encrypted
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row, collection
from pipeline.words import suggestion

_TEXTS = ("name", "display_name", "reply_to", "user_id")
#: What may be set; `channel` follows from the provider.
SETTABLE = (*_TEXTS, "provider", "address", "credentials", "limits")
#: A change of these has to be verified anew.
_VERIFIED = ("provider", "address", "credentials")
_DOUBLE = "there is a sender with this address already"


def create(tenant_id: str, values: Mapping[str, Any], *, by: str) -> str:
    """Make a sender, which is to be verified before it sends; return its id.

    `values` are some of SETTABLE, with name, provider and address among them.  `credentials`
    are the provider's, see credentials.CREDENTIAL_FIELDS; without them those of the settings.
    Raises Refused.
    """
    for name in ("name", "provider", "address"):
        if not values.get(name):
            raise Refused(name, "a sender needs it")
    now, sender_id = datetime.now(UTC), uuid4().hex
    row: Row = {"_id": sender_id, "tenant_id": tenant_id, "status": "unverified"}
    row |= {"is_paused": False, "created_at": now, "updated_at": now}
    changed = _changed(row, values)
    row = _valid(row | {name: value for name, value in changed.items() if value is not None})
    with _noted(by, "create", row, provider=row["provider"]):
        try:
            collection(SenderIdentity).insert_one(row)
        except DuplicateKeyError:
            raise Refused("address", _DOUBLE) from None
    return sender_id


def update(tenant_id: str, sender_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change what is named, None removes it; return the sender.  Raises Refused, Gone.

    Once address, provider or credentials change, it is to be verified again.
    """
    before = get(tenant_id, sender_id)
    changed = _changed(before, changes)
    after = before | changed
    _valid({name: value for name, value in after.items() if value is not None})
    if any(changed.get(n, before.get(n)) != before.get(n) for n in _VERIFIED):
        _require_unbound(before, after)
        if before["status"] != "disabled":
            changed |= {"status": "unverified", "status_reason": None, "verified_at": None}
    with _noted(by, "update", before, changed=", ".join(sorted(changes))):
        return _write(before, changed)


def delete(tenant_id: str, sender_id: str, *, by: str) -> None:
    """Delete a sender that no campaign names and nothing was sent from.  Raises Refused, Gone."""
    sender = get(tenant_id, sender_id)
    used = {"$or": [{"email_sender_id": sender_id}, {"sms_sender_id": sender_id}]}
    if collection(Campaign).find_one(used, {"_id": 1}):
        raise Refused("", "a campaign sends from it: give that another sender first")
    if collection(OutboundMessage).find_one({"sender_id": sender_id}, {"_id": 1}):
        raise Refused("", "messages were sent from it, which name it: disable it instead")
    with _noted(by, "delete", sender):
        collection(SenderIdentity).delete_one({"_id": sender["_id"], "tenant_id": tenant_id})


def verify(tenant_id: str, sender_id: str, *, by: str) -> Row:
    """Ask the provider whether it takes messages from a sender, and note what it said.

    Returns the sender, `verified`, or `failing` with the reason.  Raises Refused for a
    disabled one, Gone, and Transient or RateLimited if the provider did not answer, or somebody
    has changed the sender meanwhile.
    """
    sender = get(tenant_id, sender_id)
    if sender["status"] == "disabled":
        raise Refused("status", "it is disabled: enable it first")
    now = datetime.now(UTC)
    with _noted(by, "verify", sender) as entry:
        try:
            channels.of(sender).verify(sender)
        except (Misconfigured, Permanent, Gone) as refused:
            entry.details["status"] = "failing"
            told = {"status": "failing", "status_reason": str(refused)}
            return _write(sender, told, as_it_was=True)
        found = {"status": "verified", "verified_at": now}
        found |= {"status_reason": None, "hold_until": None}
        return _woken(_write(sender, found, as_it_was=True))


def disable(tenant_id: str, sender_id: str, *, by: str, reason: str = "") -> Row:
    """Let nothing be sent from a sender until it was enabled and verified again.  Raises Gone."""
    found = {"status": "disabled", "status_reason": reason.strip()[:500] or None}
    sender = get(tenant_id, sender_id)
    with _noted(by, "disable", sender):
        return _write(sender, found)


def enable(tenant_id: str, sender_id: str, *, by: str) -> Row:
    """Have a disabled sender be verified again.  Raises Gone."""
    sender = get(tenant_id, sender_id)
    if sender["status"] != "disabled":
        return sender
    with _noted(by, "enable", sender):
        return _write(sender, {"status": "unverified", "status_reason": None})


def pause(tenant_id: str, sender_id: str, *, by: str) -> Row:
    """Have all that is to be sent from a sender wait.  Raises Gone."""
    sender = get(tenant_id, sender_id)
    with _noted(by, "pause", sender):
        return _write(sender, {"is_paused": True})


def resume(tenant_id: str, sender_id: str, *, by: str) -> Row:
    """Have it sent again, what has waited first.  Raises Gone."""
    sender = get(tenant_id, sender_id)
    with _noted(by, "resume", sender):
        return _woken(_write(sender, {"is_paused": False}))


def get(tenant_id: str, sender_id: str) -> Row:
    """Return a sender, with its encrypted credentials.  Raises Gone."""
    row = collection(SenderIdentity).find_one({"_id": sender_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such sender")
    return row


def _noted(by: str, act: str, sender: Row, **details: Any) -> AbstractContextManager[Entry]:
    target = f"sender {sender['_id']}"
    return noted(by, f"sender.{act}", target, tenant=sender["tenant_id"], **details)


def _changed(sender: Row, changes: Mapping[str, Any]) -> Row:
    """Return what is named in `changes` as it is stored.  Raises Refused."""
    for name in changes:
        if name not in SETTABLE:
            hint = suggestion(name, SETTABLE) or f"; there are {', '.join(SETTABLE)}"
            raise Refused(name, f"there is no such field{hint}")
    provider = _provider(changes.get("provider", sender.get("provider")))
    found: Row = {name: _text(name, changes[name]) for name in _TEXTS if name in changes}
    found |= {"provider": provider, "channel": SENDER_PROVIDERS[provider]}
    if sender.get("channel") not in (None, found["channel"]):
        raise Refused("provider", f"{provider} carries no {sender['channel']}: make a new sender")
    if "address" in changes:
        found["address"] = _address(found["channel"], changes["address"], "address")
    if found.get("reply_to"):
        found["reply_to"] = email(found["reply_to"], "reply_to")
    if found.get("user_id"):
        _require_user(str(sender["tenant_id"]), found["user_id"])
    if "limits" in changes:
        found["limits"] = _limits(changes["limits"])
    return found | _secret(sender, provider, changes)


def _secret(sender: Row, provider: str, changes: Mapping[str, Any]) -> Row:
    """Return the credentials that are to be stored; another provider's do not stay."""
    if changes.get("credentials"):
        given = changes["credentials"]
        if not isinstance(given, Mapping):
            raise Refused("credentials", "expected an object with a text for each name")
        return {"credentials": encrypted(str(sender["_id"]), provider, given)}
    moved = sender.get("provider") not in (None, provider)
    return {"credentials": None} if moved or "credentials" in changes else {}


def _provider(name: Any) -> str:
    if name not in SENDER_PROVIDERS:
        hint = suggestion(str(name), SENDER_PROVIDERS)
        raise Refused("provider", f"expected one of {', '.join(SENDER_PROVIDERS)}{hint}")
    return str(name)


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or "\n" in value or "\r" in value:
        raise Refused(name, "expected a text of one line")
    return value.strip() or None


def _address(channel: str, value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise Refused(field, "expected a text")
    return email(value.strip(), field) if channel == "email" else phone(value.strip(), field)


def _limits(value: Any) -> Row | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Refused("limits", "expected an object with per_minute, per_hour, per_day")
    given = {name: limit for name, limit in value.items() if limit is not None}
    for name, limit in given.items():
        if type(limit) is not int:
            raise Refused(f"limits.{name}", "expected a whole number of messages")
    return validated(parsed(SendLimits, given), "limits.") or None


def _require_user(tenant_id: str, user_id: str) -> None:
    if not collection(User).find_one({"_id": user_id, "tenant_id": tenant_id}, {"_id": 1}):
        raise Refused("user_id", "the tenant has no such user")


def _require_unbound(before: Row, after: Row) -> None:
    """Refuse to give messages of which it is unknown whether they went out to another provider."""
    if before["provider"] == after["provider"]:
        return
    open_ones = {"sender_id": before["_id"], "state": {"$in": ["sending", "unknown"]}}
    if collection(OutboundMessage).find_one(open_ones, {"_id": 1}):
        raise Refused("provider", "of some messages it is not known yet whether it sent them")


def _valid(row: Row) -> Row:
    plain = {name: value for name, value in row.items() if name != "_id"}
    return validated(parsed(SenderIdentity, {**plain, "id": row["_id"]}))


def _write(sender: Row, changes: Row, *, as_it_was: bool = False) -> Row:
    """Write what changes, where None removes it, and return the sender.

    Raises Refused, Gone, and Changed if it is not `as_it_was` any more.
    """
    change: Row = {"$set": {"updated_at": datetime.now(UTC)}}
    change["$set"] |= {name: value for name, value in changes.items() if value is not None}
    removed = {name: "" for name, value in changes.items() if value is None}
    if removed:
        change["$unset"] = removed
    own = {"_id": sender["_id"], "tenant_id": sender["tenant_id"]}
    if as_it_was:
        own["updated_at"] = sender["updated_at"]
    try:
        done = collection(SenderIdentity).update_one(own, change)
    except DuplicateKeyError:
        raise Refused("address", _DOUBLE) from None
    if as_it_was and not done.matched_count:
        raise Changed("the sender was changed meanwhile: verify it again")
    return get(str(sender["tenant_id"]), str(sender["_id"]))


def _woken(sender: Row) -> Row:
    """Have what has waited for a sender be sent soon."""
    promoting.nudge(Wake(sender_ids=frozenset({str(sender["_id"])})))
    return sender
