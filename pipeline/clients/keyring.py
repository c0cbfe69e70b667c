"""Encryption at rest: AES-256-GCM, the id of the key beside every value.

Rotation is online: put a new key in front of ENCRYPTION_KEYS and restart.  What
is written from then on uses it; the old key may go once nothing that is stored names it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from datetime import UTC, datetime
from typing import Self, TypedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pymongo.errors import DuplicateKeyError

from models import Connection, KeyCheck, LinkSecret, SenderIdentity
from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.stores import collection

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CHECK_TEXT = b"headrace"


class Encrypted(TypedDict):
    """The shape of models.EncryptedValue."""

    key_id: str
    ciphertext: bytes


class Unreadable(Exception):
    """The value is damaged, or belongs to another context; other values are not concerned."""


class Keyring:
    """The encryption keys of this deployment, newest first."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.newest = next(iter(keys))

    @classmethod
    def from_settings(cls) -> Self:
        """Return the keys of ENCRYPTION_KEYS; raises Misconfigured if it holds none or bad ones."""
        entries = settings().encryption_keys.get_secret_value().split(",")
        keys: dict[str, bytes] = {}
        for position, entry in enumerate((e.strip() for e in entries if e.strip()), start=1):
            key_id, key = _parse(entry, position)
            if key_id in keys:
                raise Misconfigured(f"ENCRYPTION_KEYS: key id {key_id!r} is used twice")
            keys[key_id] = key
        if not keys:
            raise Misconfigured("ENCRYPTION_KEYS is empty; `headrace new-key` makes a key")
        return cls(keys)

    @property
    def key_ids(self) -> list[str]:
        """The ids of all keys, newest first."""
        return list(self._ciphers)

    def derived(self, purpose: str) -> list[bytes]:
        """Return a 32-byte secret for `purpose` from every key, newest first.

        The first one signs; whoever verifies accepts all, so that a rotation
        ends nothing.  No secret says anything about its key or another purpose
        (HKDF: https://www.rfc-editor.org/rfc/rfc5869).
        """
        return [
            HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"headrace/{purpose}".encode()).derive(key)
            for key in self._keys.values()
        ]

    def encrypt(self, data: bytes, context: str) -> Encrypted:
        """Encrypt `data` under the newest key; only the same `context` decrypts it.

        The context says whose value it is, so that a ciphertext which was
        copied to another row cannot be read there.
        """
        return _seal(self._ciphers[self.newest], self.newest, data, context)

    def decrypt(self, value: Encrypted, context: str) -> bytes:
        """Return the data.

        Raises Misconfigured if its key is not in the ring, Unreadable if the
        value is damaged or was encrypted for another context.
        """
        cipher = self._ciphers.get(value["key_id"])
        if cipher is None:
            raise Misconfigured(_missing([value["key_id"]]))
        sealed = bytes(value["ciphertext"])
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise Unreadable("stored value cannot be decrypted") from None

    def check(self, key_id: str) -> None:
        """Compare a key with what it was when it was first seen, which this call may be.

        Raises Misconfigured if it is another key now.
        """
        checks = collection(KeyCheck)
        sealed = _seal(self._ciphers[key_id], key_id, _CHECK_TEXT, key_id)
        try:
            checks.insert_one({"_id": key_id, "ciphertext": sealed["ciphertext"]})
        except DuplicateKeyError:
            stored = checks.find_one({"_id": key_id}) or {}
            value = Encrypted(key_id=key_id, ciphertext=stored.get("ciphertext", b""))
            try:
                self.decrypt(value, key_id)
            except Unreadable:
                raise Misconfigured(
                    f"ENCRYPTION_KEYS: the key {key_id!r} is not the one that it was before"
                ) from None


def new_key() -> str:
    """Return a fresh entry for ENCRYPTION_KEYS: `k<date>-<random>:<key>`."""
    key_id = f"k{datetime.now(UTC):%Y%m%d}-{os.urandom(2).hex()}"
    return f"{key_id}:{base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()}"


def check_keys() -> None:
    """Check the keys before work starts, against MongoDB.

    Raises Misconfigured if ENCRYPTION_KEYS is empty or malformed, lacks a key
    that a stored connection, sender or link secret needs, or holds another key under a known id.
    """
    ring = Keyring.from_settings()
    for key_id in ring.key_ids:
        ring.check(key_id)
    missing = sorted(used_key_ids() - set(ring.key_ids))
    if missing:
        raise Misconfigured(_missing(missing))


def used_key_ids() -> set[str]:
    """Return the ids of the keys that something stored is encrypted with."""
    used = set(collection(Connection).distinct("credentials.key_id"))
    used |= set(collection(SenderIdentity).distinct("credentials.key_id"))
    return used | set(collection(LinkSecret).distinct("secret.key_id"))


def _parse(entry: str, position: int) -> tuple[str, bytes]:
    """Return id and key; a message never repeats the entry, which may be a key without its id."""
    key_id, colon, encoded = entry.partition(":")
    if not colon or not _KEY_ID.fullmatch(key_id):
        raise Misconfigured(f"ENCRYPTION_KEYS: entry {position} is not `id:key`")
    try:
        key = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Misconfigured(
            f"ENCRYPTION_KEYS: the key {key_id!r} is not {_KEY_BYTES} bytes in base64"
        )
    return key_id, key


def _seal(cipher: AESGCM, key_id: str, data: bytes, context: str) -> Encrypted:
    nonce = os.urandom(_NONCE_BYTES)
    return Encrypted(
        key_id=key_id, ciphertext=nonce + cipher.encrypt(nonce, data, context.encode())
    )


def _missing(key_ids: list[str]) -> str:
    names = ", ".join(repr(key_id) for key_id in key_ids)
    return f"ENCRYPTION_KEYS lacks {names}, which stored secrets are encrypted with"
