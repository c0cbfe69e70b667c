"""Requests to the webhook that no receiver may believe, and events that are not for it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.outreach.sendgrid.batches import body_of
from pipeline.sandbox.outreach.sendgrid.webhook import TIMESTAMP_HEADER, Webhook, new_key

_STALE_SECONDS = 30 * 86_400

#: What events of another environment say of it.
_FOREIGN = {
    "environment": "elsewhere",
    "tenant_id": "tenant-elsewhere",
    "campaign_id": "campaign-elsewhere",
}


def forged(webhook: Webhook, body: bytes, how: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a lie: that everybody in a batch has unsubscribed."""
    lie = body_of([dump_json(_lie(event)) for event in json.loads(body)])
    if how == "unsigned":
        return lie, {}
    if how == "wrong_key":
        return lie, webhook.signed(lie, key=new_key())
    if how == "stale":
        return lie, webhook.signed(lie, age_seconds=_STALE_SECONDS)
    signed = webhook.signed(body)
    return lie, {**signed, TIMESTAMP_HEADER: signed[TIMESTAMP_HEADER]}


def _lie(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "event": "unsubscribe", "sg_event_id": secrets.token_urlsafe(21)}


def with_foreign_events(body: bytes) -> bytes:
    """A batch with an event of another environment, which uses the same account, before each."""
    mixed: list[str] = []
    for event in json.loads(body):
        strange = {name: value for name, value in event.items() if name not in _FOREIGN}
        for name in ("outbound_message_id", "dedupe_key", "node_id"):
            strange[name] = f"{name}-elsewhere"
        ids = {"sg_event_id": secrets.token_urlsafe(21), "sg_message_id": secrets.token_hex(11)}
        mixed.append(dump_json({**strange, **_FOREIGN, **ids}))
        mixed.append(dump_json(event))
    return body_of(mixed)
