"""The rows of campaigns: found for their tenant, and filled with what somebody has asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession

from models import Campaign, SenderIdentity
from models.outreach import CHANNELS
from pipeline.errors import Gone
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row, collection

#: What may be set of a campaign beside its plan and status.
SETTABLE = ("name", "description", *(f"{channel}_sender_id" for channel in CHANNELS))


def find(tenant_id: str, campaign_id: str, session: ClientSession | None = None) -> Row:
    """Return a campaign of a tenant.  Raises Gone if it has none of this id."""
    mine = {"_id": campaign_id, "tenant_id": tenant_id}
    row = collection(Campaign).find_one(mine, session=session)
    if row is None:
        raise Gone("there is no such campaign")
    return row


def filled(row: Row, values: Mapping[str, Any], now: datetime) -> Row:
    """Return a campaign with `values`, as it is stored; an empty one takes the field away.

    Raises Refused for a field that cannot be set, or not so.
    """
    for name in values:
        if name not in SETTABLE:
            raise Refused(name, f"it cannot be set here; what can is {', '.join(SETTABLE)}")
    fresh = row | dict(values) | {"updated_at": now}
    fresh["name"] = str(fresh.get("name") or "").strip()
    if not fresh["name"]:
        raise Refused("name", "give the campaign a name")
    for channel in CHANNELS:
        if values.get(f"{channel}_sender_id"):
            _check_sender(fresh, channel)
    left = {name: fresh[name] for name in fresh if fresh[name] or name not in SETTABLE}
    return validated(parsed(Campaign, {"id": left.pop("_id"), **left}))


def sender_of(campaign: Row, channel: str) -> Row | None:
    """Return the sender that a campaign has for a channel, if it is the same tenant's."""
    sender_id = campaign.get(f"{channel}_sender_id")
    mine = {"_id": sender_id, "tenant_id": campaign["tenant_id"]}
    return collection(SenderIdentity).find_one(mine) if sender_id else None


def _check_sender(campaign: Row, channel: str) -> None:
    field, sender = f"{channel}_sender_id", sender_of(campaign, channel)
    if sender is None:
        raise Refused(field, "there is no such sender; take the id of one of this tenant")
    if sender["channel"] != channel:
        raise Refused(field, f"this sender sends {sender['channel']}; take one for {channel}")
