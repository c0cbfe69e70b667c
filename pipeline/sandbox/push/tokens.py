"""The token that a Pub/Sub push carries, and the ways in which a fault spoils it.

https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#jwt_format
"""

from __future__ import annotations

import base64
import time
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.push.topics import Topic
from pipeline.sandbox.signing import ISSUER, Signer

LIFETIME_SECONDS = 3600

#: How a `push_wrong_jwt` fault spoils the token.
HOWS = (
    *("missing", "unsigned", "wrong_key", "expired"),
    *("wrong_audience", "wrong_email", "unverified_email", "wrong_issuer"),
)
_CLAIMS: dict[str, dict[str, Any]] = {
    "wrong_audience": {"aud": "https://elsewhere.example/"},
    "wrong_email": {"email": "somebody@elsewhere.example"},
    "unverified_email": {"email_verified": False},
    "wrong_issuer": {"iss": "https://elsewhere.example"},
}


def authorization(topic: Topic, signer: Signer, how: str | None = None) -> dict[str, str]:
    """The header of a push to this topic's endpoint; spoilt in the way that `how` names."""
    if how == "missing":
        return {}
    return {"Authorization": f"Bearer {_token(topic, signer, how)}"}


def _token(topic: Topic, signer: Signer, how: str | None) -> str:
    claims = _claims(topic, -2 * LIFETIME_SECONDS if how == "expired" else 0)
    token = signer.sign(claims | _CLAIMS.get(how or "", {}))
    if how == "unsigned":
        header = _base64url(dump_json({"alg": "none", "typ": "JWT"}).encode())
        return f"{header}.{token.split('.')[1]}."
    return _forged(token) if how == "wrong_key" else token


def _claims(topic: Topic, shift_seconds: int) -> dict[str, Any]:
    """Real time, not the sandbox's: whoever verifies a token does so by a clock of its own."""
    issued = int(time.time()) + shift_seconds
    subject = f"1{int.from_bytes(topic.service_account.encode()) % 10**20:020d}"
    return {
        "iss": ISSUER,
        "aud": topic.audience,
        "azp": subject,
        "sub": subject,
        "email": topic.service_account,
        "email_verified": True,
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
    }


def _forged(token: str) -> str:
    """Signed with a stranger's key, and the key id of the right one."""
    signed = token.rpartition(".")[0]
    signature = _stranger().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64url(signature)}"


@cache
def _stranger() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
