"""What the web signs: cookies and tokens, under secrets that ENCRYPTION_KEYS yields.

Signed by the newest key and accepted under any, so that rotating keys signs
nobody out.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from itsdangerous import BadData, Signer, URLSafeTimedSerializer

from pipeline.clients.keyring import Keyring
from pipeline.config import settings

_SIGNER = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


def sign(purpose: str, value: Any) -> str:
    """Return `value`, a JSON value, as text that shows it and cannot be changed."""
    return str(_serializer(purpose).dumps(value))


def signed(purpose: str, text: str, *, max_age_seconds: float) -> Any:
    """Return what was signed for `purpose` not longer ago than this, else None."""
    try:
        return _serializer(purpose).loads(text, max_age=int(max_age_seconds))
    except BadData:
        return None


def signature(purpose: str, value: str) -> str:
    """Return a signature of `value`."""
    return _signer(purpose).get_signature(value).decode()


def verifies(purpose: str, value: str, candidate: str) -> bool:
    """Return whether `candidate` is a signature of `value`; takes the same time for all wrong."""
    return _signer(purpose).verify_signature(value, candidate.encode("utf-8", "replace"))


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(_secrets(purpose), salt=purpose, signer_kwargs=dict(_SIGNER))


def _signer(purpose: str) -> Signer:
    return Signer(_secrets(purpose), salt=purpose, **_SIGNER)  # type: ignore[arg-type]


def _secrets(purpose: str) -> list[bytes]:
    return _derived(purpose, settings().encryption_keys.get_secret_value())


@lru_cache(maxsize=16)
def _derived(purpose: str, _keys: str) -> list[bytes]:
    """Return the secrets, oldest first, as itsdangerous wants them; anew when the keys change."""
    return Keyring.from_settings().derived(f"web/{purpose}")[::-1]
