"""What Google signs: ID tokens, and the tokens of Pub/Sub's pushes.

One RSA key per sandbox, kept in its SQLite file, so that what was signed before a restart
still verifies after it.  `certs` is the form in which Google publishes its own keys:
https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from pipeline.sandbox.store import Store

ISSUER = "https://accounts.google.com"

_KEY_BITS = 2048
_EXPONENT = 65537
_VALID_DAYS = 3650
_META = "signing_key"


class Signer:
    """Signs claims as Google does: RS256, with a key id.  Any thread may use it."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._signer: crypt.RSASigner | None = None

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return `claims` as a signed JWT.  `iat` and `exp` are the caller's to set."""
        # Made twice by two threads at once, it is the same; a lock here could wait for the
        # database's, whose holder waits for this one.
        if self._signer is None:
            kept = self._kept
            self._signer = crypt.RSASigner.from_string(kept["key"], kept["id"])  # type: ignore[no-untyped-call]
        token: bytes = jwt.encode(self._signer, claims)  # type: ignore[no-untyped-call]
        return token.decode()

    def certs(self) -> dict[str, str]:
        """Return the PEM certificates by key id, as /oauth2/v1/certs serves them."""
        kept = self._kept
        return {kept["id"]: kept["certificate"]}

    def json_web_keys(self) -> dict[str, Any]:
        """Return the keys as a JWK set, which is how others publish theirs (RFC 7517)."""
        kept = self._kept
        certificate = x509.load_pem_x509_certificate(kept["certificate"].encode())
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)  # made here
        numbers = key.public_numbers()
        whole = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        entry = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kept["id"], "x5c": [whole]}
        return {"keys": [entry | {"n": _number(numbers.n), "e": _number(numbers.e)}]}

    @property
    def _kept(self) -> dict[str, str]:
        """Return id, key and certificate, made when they are first needed."""
        with self._database.transaction():
            text = self._database.meta(_META, "")
            if not text:
                text = json.dumps(_made())
                self._database.set_meta(_META, text)
        kept: dict[str, str] = json.loads(text)
        return kept


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _made() -> dict[str, str]:
    key = rsa.generate_private_key(_EXPONENT, _KEY_BITS)
    certificate = _certificate(key)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return {
        "id": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - a name, as Google's are
        "key": private.decode(),
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox.example")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
