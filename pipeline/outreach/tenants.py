"""What a tenant has set for its campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from models import Tenant
from pipeline.audit import noted
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row, collection

#: What may be set by `update`; pausing is done by `campaigns.pause_tenant`.
SETTABLE = ("name", "postal_address", "sends_per_hour", "domain_sends_per_hour")
_LIMITS = ("sends_per_hour", "domain_sends_per_hour")
_PAUSE = ("outreach_paused", "paused_reason", "paused_by", "paused_at")


def get(tenant_id: str) -> Row:
    """Return what a tenant has set, every field of it; one without a row has set nothing."""
    row = collection(Tenant).find_one({"_id": tenant_id}) or {}
    told: Row = {"_id": tenant_id} | {name: row.get(name) for name in (*SETTABLE, *_PAUSE)}
    return told | {"outreach_paused": bool(row.get("outreach_paused"))}


def update(tenant_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change what is named, None or "" removes it; return all of it.  Raises Refused.

    A limit counts for every message that is sent from then on.
    """
    wanted = {name: _checked(name, value) for name, value in changes.items()}
    now = datetime.now(UTC)
    times = {"created_at": now, "updated_at": now}
    validated(parsed(Tenant, {**wanted, "id": tenant_id, **times}))
    change: Row = {
        "$set": {**{n: v for n, v in wanted.items() if v is not None}, "updated_at": now},
        "$setOnInsert": {"created_at": now},
    }
    removed = {name: "" for name, value in wanted.items() if value is None}
    if removed:
        change["$unset"] = removed
    with noted(by, "tenant.update", f"tenant {tenant_id}", changed=", ".join(sorted(changes))):
        collection(Tenant).update_one({"_id": tenant_id}, change, upsert=True)
    return get(tenant_id)


def _checked(name: str, value: Any) -> Any:
    if name not in SETTABLE:
        raise Refused(name, f"there is no such field; there are {', '.join(SETTABLE)}")
    if value is None or value == "":
        return None
    if name in _LIMITS:
        if type(value) is not int or value < 0:
            raise Refused(name, "expected a whole number of messages, 0 or more")
        return value
    if not isinstance(value, str):
        raise Refused(name, "expected a text")
    return value.strip() or None
