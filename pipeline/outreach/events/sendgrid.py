"""What SendGrid's Event Webhook tells: a list, of any tenants' messages, in any order.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.outreach.events.reading import Reading
from pipeline.outreach.events.told import Told, bare_url

_PROVIDER = "sendgrid"
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
#: An enhanced status code: https://www.rfc-editor.org/rfc/rfc3463
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
#: Why SendGrid has not even tried, and for which reason the address gets nothing any more.
_DROPPED = {
    "bounced address": "bounced",
    "unsubscribed address": "unsubscribed",
    "spam reporting address": "spam_report",
    "invalid": "invalid",
}
_Id = Annotated[str, Field(max_length=200)]


class _Entry(BaseModel):
    """One event; other fields are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    event: Annotated[str, Field(min_length=1, max_length=64)]
    timestamp: Annotated[float, Field(gt=0, lt=_END_OF_TIME, allow_inf_nan=False)]
    sg_event_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    sg_message_id: _Id | None = None
    outbound_message_id: _Id | None = None
    tenant_id: _Id | None = None
    sg_machine_open: bool | None = None
    url: str | None = None
    type: str | None = None
    status: str | None = None
    reason: str | None = None


def read(entries: Sequence[Any]) -> Reading:
    """Return what the entries tell.  Those that cannot be read are named, and concern no other."""
    reading = Reading()
    for position, raw in enumerate(entries):
        try:
            entry = _Entry.model_validate(raw)
        except ValidationError as error:
            reading.refuse(f"[{position}]", error)
            continue
        told = _KINDS.get(entry.event)
        if told is None:
            reading.skip("an unknown type of event")
        else:
            reading.told.append(_told(entry, raw, told(entry)))
    return reading


def _told(entry: _Entry, raw: Any, about: dict[str, Any]) -> Told:
    return Told(
        id=f"{_PROVIDER}:{entry.sg_event_id or _hash(raw)}",
        provider=_PROVIDER,
        occurred_at=datetime.fromtimestamp(entry.timestamp, UTC),
        message_id=entry.outbound_message_id or "",
        # What follows the first dot says which server sent it.
        provider_id=(entry.sg_message_id or "").partition(".")[0],
        tenant_id=entry.tenant_id or "",
        **about,
    )


def _hash(raw: Any) -> str:
    """Return what is the same when the same event is told again without an id of its own."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def _taken(_entry: _Entry) -> dict[str, Any]:
    return {"type": ""}


def _delivered(_entry: _Entry) -> dict[str, Any]:
    return {"type": "delivered"}


def _opened(entry: _Entry) -> dict[str, Any]:
    return {"type": "opened", "is_machine": bool(entry.sg_machine_open)}


def _clicked(entry: _Entry) -> dict[str, Any]:
    return {"type": "clicked", "data": {"url": bare_url(entry.url)} if entry.url else {}}


def _bounced(entry: _Entry) -> dict[str, Any]:
    """A bounce is for good; where the type is `blocked`, the address may take the next one."""
    is_hard = entry.type != "blocked"
    data = {"class": "hard" if is_hard else "soft"}
    if entry.status and _STATUS.fullmatch(entry.status):
        data["code"] = entry.status
    return {"type": "bounced", "data": data, "suppress": "bounced" if is_hard else ""}


def _dropped(entry: _Entry) -> dict[str, Any]:
    reason = _DROPPED.get((entry.reason or "").strip().lower(), "")
    data = {"class": "dropped", "code": reason or "other"}
    return {"type": "bounced", "data": data, "suppress": reason}


def _reported(_entry: _Entry) -> dict[str, Any]:
    return {"type": "spam_report", "suppress": "spam_report"}


def _unsubscribed(_entry: _Entry) -> dict[str, Any]:
    return {"type": "unsubscribed", "suppress": "unsubscribed"}


def _resubscribed(_entry: _Entry) -> dict[str, Any]:
    return {"type": "resubscribed"}


_KINDS: dict[str, Callable[[_Entry], dict[str, Any]]] = {
    "processed": _taken,
    "deferred": _taken,
    "delivered": _delivered,
    "open": _opened,
    "click": _clicked,
    "bounce": _bounced,
    "blocked": lambda entry: _bounced(entry.model_copy(update={"type": "blocked"})),
    "dropped": _dropped,
    "spamreport": _reported,
    "unsubscribe": _unsubscribed,
    "group_unsubscribe": _unsubscribed,
    "group_resubscribe": _resubscribed,
}
