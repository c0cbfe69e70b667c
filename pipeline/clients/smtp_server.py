"""Which mail server a sender uses, as one address: `smtp[s]://user:password@host:port`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pipeline.errors import Misconfigured

_PORTS = {"smtp": 25, "smtps": 465}
#: Where users hand in their mail: https://www.rfc-editor.org/rfc/rfc6409
_SUBMISSION_PORT = 587
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9a-fA-F:.]{2,45}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server.  `is_tls`: its port speaks TLS from the start.  Without `user` nobody signs
    in."""

    host: str
    port: int
    is_tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, so that nobody can listen on the way."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse(url: str, name: str) -> MailServer:
    """Return the server that `url` names; `name` is the setting it comes from.

    Without a port it is 465 for smtps, for smtp 587 with a user and else 25.  User and password
    are percent-encoded where they have special characters.
    Raises Misconfigured that says what is wrong, and nothing of what `url` holds.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(name, "host or port cannot be read") from None
    if parts.scheme not in _PORTS:
        raise _wrong(name, "it does not begin with smtp:// or smtps://")
    if not _HOST.fullmatch(host) or port == 0:
        raise _wrong(name, "it has no valid host, or a port that is none")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _wrong(name, "something follows the port; / ? # in a password become %2F %3F %23")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or _CONTROL.search(user + password):
        raise _wrong(name, "user and password go together")
    usual = _SUBMISSION_PORT if user and parts.scheme == "smtp" else _PORTS[parts.scheme]
    return MailServer(host, port or usual, parts.scheme == "smtps", user, password)


def _wrong(name: str, problem: str) -> Misconfigured:
    return Misconfigured(
        f"{name} cannot be read: {problem}; expected smtp[s]://user:password@host:port"
    )
