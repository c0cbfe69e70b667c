"""What providers, links and mailboxes tell us, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pipeline.stores import Row


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened to a message; `id` is that of its OutreachEvent.

    `type` empty: nothing happened, but the provider has taken the message.  `message_id` is
    ours, where the provider gives it back, and `provider_id` its own; `tenant_id` is the one
    that it says the message is of.  `suppress` is the reason for which the address gets nothing
    any more, or empty.  `data` names nobody.
    """

    id: str
    provider: str
    type: str
    occurred_at: datetime
    message_id: str = ""
    provider_id: str = ""
    tenant_id: str = ""
    is_machine: bool = False
    suppress: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """What was told of a message, and its row; `delivery_id` is how, if by a webhook."""

    told: Told
    message: Row
    delivery_id: str = ""


def bare_url(url: str) -> str:
    """Return an address without what may name somebody: user, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()
    except ValueError:  # half an IPv6 address
        return ""
