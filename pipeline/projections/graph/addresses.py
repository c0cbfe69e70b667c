"""E-mail addresses: one spelling for each, and reading them out of mail headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.utils import getaddresses
from inspect import signature
from typing import Any, NamedTuple
from unicodedata import normalize

from pipeline.projections.graph.fields import name, text

#: RFC 5321 allows 64 + 1 + 255; https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
_MOST_CHARACTERS = 320
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f<>]")
_FOLDED = re.compile(r"\r?\n[ \t]*")
#: Later Pythons return nothing at all for a header with one odd address, unless asked not to.
_LENIENT = {"strict": False} if "strict" in signature(getaddresses).parameters else {}


class Mailbox(NamedTuple):
    """An address and the name that was written beside it."""

    address: str
    name: str | None


def normalise(value: Any) -> str | None:
    """Return an address as everybody writes it (NFC, lower-case, trimmed), or None."""
    spelled = text(value, limit=2 * _MOST_CHARACTERS)
    if spelled is None:
        return None
    address = normalize("NFC", normalize("NFC", spelled).lower()).strip()
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or len(address) > _MOST_CHARACTERS:
        return None
    return None if _UNFIT.search(domain) else address


def domain_of(address: str) -> str:
    """Return what stands after the last @."""
    return address.rpartition("@")[2]


def mailboxes(headers: Iterable[str]) -> list[Mailbox]:
    """Return the mailboxes of header values such as `"Doe, Jane" <jane@example.org>, …`.

    Encoded words are decoded, groups are flattened, every address comes once.
    What is no address is left out.
    """
    found: dict[str, Mailbox] = {}
    unfolded = [_FOLDED.sub(" ", header) for header in headers]
    for written, spelled in getaddresses(unfolded, **_LENIENT):
        read = mailbox(decoded(written), spelled)
        if read is not None:
            found.setdefault(read.address, read)
    return list(found.values())


def mailbox(written: Any, spelled: Any) -> Mailbox | None:
    """Return the mailbox of a name and an address, or None if that is none."""
    address = normalise(spelled)
    if address is None:
        return None
    shown = name(written)
    return Mailbox(address, None if shown is None or shown.lower() == address else shown)


def decoded(value: str) -> str:
    """Return a header value with its encoded words (RFC 2047) read; as it is if they are broken."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, MessageError, LookupError, ValueError):
        return value
