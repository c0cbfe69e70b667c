"""Which addresses the sandbox pushes to: https, and plain http on this machine only.

Google pushes to https with a trusted certificate.  A receiver under development has none, so
loopback addresses may be http here; everything else is as strict as Google is:
https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from urllib.parse import urlsplit


class Verdict(Enum):
    """What is to be said of an address."""

    GOOD = "good"
    NO_HOST = "no host"
    NOT_HTTPS = "not https"


def judge(address: str) -> Verdict:
    """Say whether the sandbox would push to `address`."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return Verdict.NO_HOST
    if parts.scheme not in ("http", "https") or not host:
        return Verdict.NO_HOST
    return Verdict.GOOD if parts.scheme == "https" or is_loopback(host) else Verdict.NOT_HTTPS


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
