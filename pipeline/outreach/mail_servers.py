"""Mail servers that are connected to: those that the settings name, and no others.

A tenant's own address of one could else have us knock at what only we can reach.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.clients.smtp_server import MailServer, parse
from pipeline.config import settings
from pipeline.errors import Misconfigured

#: Where mail is handed in; other ports of a server have to be named.
_MAIL_PORTS = frozenset((25, 465, 587, 2525))


def of_settings() -> MailServer:
    """Return the mail server of senders that have none.  Raises Misconfigured."""
    return parse(settings().smtp_url.get_secret_value(), "SMTP_URL")


def named(url: str) -> MailServer:
    """Return the mail server that a sender names.

    Raises Misconfigured if `url` cannot be read, or the settings do not know that server.
    """
    server = parse(url, "the sender's address of its mail server")
    if not _is_listed(server) and not _is_own(server):
        raise Misconfigured(
            "the sender's mail server is neither that of SMTP_URL nor one of SMTP_HOSTS"
        )
    return server


def _is_own(server: MailServer) -> bool:
    own = of_settings()
    return (server.host, server.port) == (own.host, own.port)


def _is_listed(server: MailServer) -> bool:
    entries = filter(None, map(str.strip, settings().smtp_hosts.split(",")))
    return any(_fits(entry, server) for entry in entries)


def _fits(entry: str, server: MailServer) -> bool:
    try:
        parts = urlsplit(f"//{entry}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Misconfigured("SMTP_HOSTS cannot be read: expected host or host:port") from None
    ports = _MAIL_PORTS if port is None else {port}
    return host == server.host and server.port in ports
