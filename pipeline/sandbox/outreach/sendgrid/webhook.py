"""Where events are told, and how they are signed.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.sandbox.database import Database

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

#: All events that there are.
EVENTS = (
    *("processed", "dropped", "delivered", "deferred", "bounce", "open", "click", "spamreport"),
    *("unsubscribe", "group_unsubscribe", "group_resubscribe"),
)

_CONFIG, _KEY = "sendgrid_webhook", "sendgrid_webhook_key"
#: SENDGRID_WEBHOOK_PUBLIC_KEY is the public half of the key that is made from this.
_SEED = b"headrace sandbox sendgrid"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Config:
    """The address, and the events that it is told; no address: none."""

    url: str = ""
    events: Sequence[str] = EVENTS


class Webhook:
    """The settings of the one Event Webhook, kept in the database.  Any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.config = Config(**json.loads(database.meta(_CONFIG, "{}")))
        kept = database.meta(_KEY, "")
        self._key = _loaded(kept) if kept else _first_key()
        #: How often forged requests were answered with which status.
        self.forgeries: Counter[int] = Counter()

    def put(self, config: Config) -> None:
        self._database.set_meta(_CONFIG, json.dumps(asdict(config)))
        self.config = config

    def wants(self, event: str) -> bool:
        return bool(self.config.url) and event in self.config.events

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        key = new_key()
        private = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._database.set_meta(_KEY, base64.b64encode(private).decode())
        self._key = key

    @property
    def public_key(self) -> str:
        """As SendGrid shows it: base64 of the key's DER."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def signed(self, body: bytes, key: Key | None = None, age_seconds: int = 0) -> dict[str, str]:
        """The headers of a signed body.

        By the real clock: whoever verifies it has that one, not the sandbox's.
        """
        timestamp = str(int(time.time()) - age_seconds)
        signature = (key or self._key).sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            TIMESTAMP_HEADER: timestamp,
        }

    def clear(self) -> None:
        """Tell nobody, and sign with the first key."""
        self.put(Config())
        self._database.run("DELETE FROM meta WHERE name = ?", _KEY)
        self._key = _first_key()
        self.forgeries.clear()


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _first_key() -> Key:
    number = int.from_bytes(hashlib.sha256(_SEED).digest()) % (_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP256R1())


def _loaded(text: str) -> Key:
    key = serialization.load_der_private_key(base64.b64decode(text), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # made here
    return key
