"""The secret that links in messages are signed with: made once, the same for all processes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import lru_cache

from pymongo.errors import DuplicateKeyError

from models.outreach import LinkSecret
from pipeline.clients.keyring import Encrypted, Keyring
from pipeline.stores import Row, collection

_ID = "links"
_CONTEXT = "link-secret:links"
_BYTES = 32


@lru_cache(maxsize=1)
def link_secret() -> bytes:
    """Return the secret, which this call may make; it never changes.

    Raises Misconfigured if ENCRYPTION_KEYS lacks the key that it is encrypted with, and what
    the store raises.
    """
    row = _stored() or _made()
    sealed: Encrypted = row["secret"]
    return Keyring.from_settings().decrypt(sealed, _CONTEXT)


def has_link_secret() -> bool:
    """Return whether there is a secret: else no link was ever made."""
    return bool(link_secret.cache_info().currsize) or _stored() is not None


def _stored() -> Row | None:
    return collection(LinkSecret).find_one({"_id": _ID})


def _made() -> Row:
    """Make the secret, unless somebody else makes it at the same time: then there is theirs."""
    secret = Keyring.from_settings().encrypt(os.urandom(_BYTES), _CONTEXT)
    row: Row = {"_id": _ID, "secret": secret, "created_at": datetime.now(UTC)}
    try:
        collection(LinkSecret).insert_one(row)
    except DuplicateKeyError:
        # It was not there a moment ago, so whoever made it has committed it since.
        return _stored() or row
    return row
