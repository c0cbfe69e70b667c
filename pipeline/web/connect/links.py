"""Signed links by which an application lets one of its users connect an account.

A link says all that it allows, and nobody can change it: whose copy it is, which
sources are asked for, where the user goes afterwards.  It may be used again and
again until it expires; each use ends in at most one grant.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from models import DEFAULT_TENANT
from pipeline.config import public_base_url, settings
from pipeline.connect import check_user_id
from pipeline.errors import Permanent
from pipeline.sources import source_named
from pipeline.web.access import signing
from pipeline.web.access.origins import origin_of
from pipeline.web.connect.providers import PROVIDERS, Provider

HOUR_SECONDS = 3600
LONGEST_SECONDS = 30 * 24 * HOUR_SECONDS
_PURPOSE = "connect-link"
_MOST_URL_CHARACTERS = 1000


class UnknownProvider(Permanent):
    """Accounts of this provider cannot be connected here."""


class LinkInvalid(Permanent):
    """The link was not made here, or has lost a part on its way."""


class LinkExpired(Permanent):
    """The link was made here, and its time is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link allows.

    `tenant_id` is that of a user who is new.  `other_account` lets the copy become
    that of another account than the one connected before.  `expires_at` is in
    seconds since 1970.
    """

    user_id: str
    provider: str
    sources: tuple[str, ...]
    return_to: str
    tenant_id: str
    other_account: bool
    expires_at: float

    def url(self) -> str:
        """Return the address that the user opens."""
        token = signing.sign(_PURPOSE, asdict(self))
        return f"{public_base_url()}/connect/{self.provider}?{urlencode({'t': token})}"

    def asking_for(self, sources: Sequence[str]) -> Link:
        """Return the same link for these sources only."""
        return replace(self, sources=tuple(sources))

    def way_back(self, **said: str) -> str:
        """Return where the user goes afterwards, with what is `said` in the query; or empty."""
        if not self.return_to:
            return ""
        base, mark, fragment = self.return_to.partition("#")
        return f"{base}{'&' if '?' in base else '?'}{urlencode(said)}{mark}{fragment}"


def connect_link(
    user_id: str,
    provider: str = "google",
    sources: Sequence[str] | None = None,
    return_to: str = "",
    lifetime_seconds: float = HOUR_SECONDS,
    *,
    tenant_id: str = "",
    other_account: bool = False,
) -> str:
    """Return a link by which `user_id` connects an account at `provider`.

    `sources` are those to ask for, all of the provider by default.  Raises
    Permanent that names what is wrong.
    """
    check_user_id(user_id)
    known = provider_named(provider)
    if not 0 < lifetime_seconds <= LONGEST_SECONDS:
        raise Permanent("a link lasts more than no time, and 30 days at most")
    link = Link(
        user_id=user_id,
        provider=known.name,
        sources=_checked_sources(known, sources),
        return_to=_checked_return(return_to),
        tenant_id=tenant_id or DEFAULT_TENANT,
        other_account=other_account,
        expires_at=time.time() + lifetime_seconds,
    )
    return link.url()


def provider_named(name: str) -> Provider:
    """Return the provider called `name`; raises UnknownProvider that says which there are."""
    if name not in PROVIDERS:
        raise UnknownProvider(f"there is no provider {name!r}; there is {', '.join(PROVIDERS)}")
    return PROVIDERS[name]


def read_link(token: str) -> Link:
    """Return what a link's token says.  Raises LinkInvalid or LinkExpired."""
    said: Any = signing.signed(_PURPOSE, token, max_age_seconds=LONGEST_SECONDS)
    try:
        link = Link(**{**said, "sources": tuple(said["sources"])})
    except (TypeError, KeyError):  # not signed here, or by another release
        raise LinkInvalid("the link was not made here, or has lost a part") from None
    if time.time() >= link.expires_at:
        raise LinkExpired("the link's time is over")
    # The setting may have changed since the link was made.
    return link if may_return_to(link.return_to) else replace(link, return_to="")


def may_return_to(url: str) -> bool:
    """Return whether users may be sent to `url`: CONNECT_RETURN_ORIGINS names its origin."""
    # Browsers and Python part addresses with odd characters in different places.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        return False
    try:
        return len(url) <= _MOST_URL_CHARACTERS and origin_of(url) in settings().return_origins()
    except ValueError:  # half an IPv6 address
        return False


def _checked_return(url: str) -> str:
    if url and not may_return_to(url):
        raise Permanent(
            "the address to return to is of no origin in CONNECT_RETURN_ORIGINS, or cannot be read"
        )
    return url


def _checked_sources(provider: Provider, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return provider.sources
    for name in names:
        source_named(name)  # raises with the nearest name
        if name not in provider.sources:
            raise Permanent(f"{name} is no source of {provider.name}")
    if not names:
        raise Permanent("a link asks for one source at least")
    return tuple(name for name in provider.sources if name in names)
