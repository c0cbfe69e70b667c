"""Ids as Exchange makes them: long, opaque, and different ones may differ in case alone.

https://learn.microsoft.com/graph/outlook-immutable-id
"""

from __future__ import annotations

import base64
import hashlib
import uuid

#: In this order, so that ids which follow each other often differ only in the case of a letter.
_DIGITS = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz0123456789-_"
_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")


def number_text(number: int, width: int = 6) -> str:
    """A number in base 64, at least `width` digits."""
    digits = ""
    while number or len(digits) < width:
        number, digit = divmod(number, 64)
        digits = _DIGITS[digit] + digits
    return digits


def mailbox_text(user_n: int, email: str) -> str:
    """What all ids of one mailbox have in common: 24 characters, the same in every run."""
    digest = hashlib.sha256(f"{user_n} {email}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def folder_id(mailbox: str, number: int) -> str:
    return f"AQMkAD{mailbox}AuAAADwG{number_text(number)}AQB_AAACA{number_text(number, 2)}AAAA"


def immutable_id(mailbox: str, number: int) -> str:
    return f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A{mailbox}AAB{number_text(number)}AA"


def default_id(mailbox: str, number: int, folder_number: int, rev: int) -> str:
    """The id that a message has in this folder, from this revision on."""
    place = f"{number_text(folder_number)}{number_text(rev)}"
    return f"AAMkAD{mailbox}BGAAAAAAD{place}BwB{number_text(number)}AAAAAAEMAAB{place}AAA="


def change_key(rev: int) -> str:
    return f"CQAAABYAAAB{number_text(rev, 20)}"


def object_id(user_n: int, email: str) -> str:
    """The `oid` of an account: a GUID that never changes."""
    return str(uuid.uuid5(_NAMESPACE, f"{user_n} {email}"))
