"""SendGrid's event webhook, signed with a key of our own, so that the rate is ours to choose."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.outreach import OutboundMessage
from pipeline.stores import collection

EVENTS = ("delivered", "open", "click")
_BATCH = 1000
_PATH = "/webhooks/sendgrid/events"
_HEADER = "X-Twilio-Email-Event-Webhook-"


class Poster:
    """Posts events as SendGrid does.  `public_key` is what the web must be set to take."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = base64.b64encode(public).decode()

    def post(self, url: str, events: Iterable[dict[str, Any]]) -> int:
        """Post all of `events` to the web at `url`, a thousand at a time; return how many."""
        count = 0
        with requests.Session() as session:
            rest = iter(events)
            while batch := list(islice(rest, _BATCH)):
                self._post(session, url, batch)
                count += len(batch)
        return count

    def _post(self, session: requests.Session, url: str, batch: list[dict[str, Any]]) -> None:
        body, stamp = json.dumps(batch).encode(), str(int(time.time()))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            f"{_HEADER}Signature": base64.b64encode(signature).decode(),
            f"{_HEADER}Timestamp": stamp,
            "Content-Type": "application/json",
        }
        session.post(url + _PATH, body, headers=headers, timeout=60).raise_for_status()


def events_of(campaign_id: str) -> Iterator[dict[str, Any]]:
    """Yield three events of every message, as if all readers were equally quick."""
    fields = {"provider_id": 1, "to_address": 1}
    for name in EVENTS:
        for row in collection(OutboundMessage).find({"campaign_id": campaign_id}, fields):
            yield {
                "email": row["to_address"],
                "timestamp": int(time.time()),
                "event": name,
                "sg_event_id": f"{name}-{row['_id']}",
                "sg_message_id": f"{row['provider_id']}.recvd-bench",
                "outbound_message_id": row["_id"],
            }
