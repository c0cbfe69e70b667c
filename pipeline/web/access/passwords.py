"""Passwords: what a good one is, and argon2 hashes of them.

https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipeline.errors import Permanent

LEAST_CHARACTERS = 12
#: Longer ones are refused before they are hashed.
MOST_CHARACTERS = 1024

_hasher = PasswordHasher()


def check(password: str, name: str) -> None:
    """Raise Permanent that says what is wrong with a new password of `name`."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise Permanent(
            f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters;"
            " several words in a row are good ones"
        )
    if name.casefold() in password.casefold():
        raise Permanent("the password must not contain the name")


def hashed(password: str) -> str:
    """Return argon2's text for `password`."""
    return _hasher.hash(_normal(password))


def matches(password_hash: str, password: str) -> bool:
    """Return whether `password` is the hashed one.

    Takes as long when there is no hash to compare with, so that nobody can
    measure which names exist.
    """
    if len(password) > MOST_CHARACTERS:
        password = ""
    nobodys = _nobodys()  # its first call takes time, so it must not depend on the name either
    try:
        return _hasher.verify(password_hash or nobodys, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Return whether argon2 has other parameters today than when this hash was made."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobodys() -> str:
    """Return a hash with today's parameters that no password has: its own was never kept."""
    return _hasher.hash(secrets.token_hex(32))


def _normal(password: str) -> str:
    """Return the one form of what different keyboards type differently (NIST SP 800-63B 5.1.1)."""
    return unicodedata.normalize("NFKC", password)
