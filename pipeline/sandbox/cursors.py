"""Opaque page and sync tokens: signed, so that a forged or foreign one is told from an old one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

_SIGNATURE_BYTES = 9


class CursorCodec:
    """Packs a small JSON object into a URL-safe token under `secret`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def encode(self, kind: str, fields: dict[str, Any]) -> str:
        payload = json.dumps([kind, fields], separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(self._sign(payload) + payload).decode()

    def decode(self, kind: str, token: str) -> dict[str, Any] | None:
        """The fields that `encode(kind, …)` packed; None for anything else."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except (binascii.Error, UnicodeEncodeError):
            return None
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            return None
        found_kind, fields = json.loads(payload)
        return dict(fields) if found_kind == kind else None

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self._secret, payload, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
