"""The providers that people can connect: one entry each, and everything else follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pipeline.clients import google_oauth, grants
from pipeline.clients.credentials import find_connection
from pipeline.clients.google_oauth import Consent
from pipeline.clients.google_scopes import IDENTITY_SCOPES, scopes_of_source
from pipeline.clients.grants import Grant
from pipeline.connect import Connected, connect_grant


@dataclass(frozen=True, slots=True)
class Offer:
    """One source as the person is asked for it."""

    source: str
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Asking:
    """How a person is asked this time: see Consent."""

    login_hint: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider whose accounts can be connected.

    `require` raises Misconfigured if it cannot be; `asking` says how a user is
    asked who has connected before; `access_url` is where people take access back.
    """

    name: str
    title: str
    access_url: str
    offers: tuple[Offer, ...]
    require: Callable[[], None]
    scopes: Callable[[Collection[str]], tuple[str, ...]]
    asking: Callable[[str, bool], Asking]
    consent_url: Callable[[Consent], str]
    exchange: Callable[[str, Consent], Grant]
    connect: Callable[..., Connected]

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of its sources."""
        return tuple(offer.source for offer in self.offers)

    def offers_of(self, sources: Collection[str]) -> list[Offer]:
        """Return the offers of these sources, in our order."""
        return [offer for offer in self.offers if offer.source in sources]


def _google_scopes(sources: Collection[str]) -> tuple[str, ...]:
    wanted = [scope for source in sources for scope in scopes_of_source(source)]
    return tuple(dict.fromkeys((*IDENTITY_SCOPES, *wanted)))


def _asking_google(user_id: str, other_account: bool) -> Asking:
    """Ask for consent anew only where a refresh token is needed: Google gives none otherwise."""
    if other_account:
        return Asking(prompt="consent select_account")
    connection = find_connection(user_id, "google") or {}
    lasting = bool(connection) and grants.has_lasting_access(connection)
    return Asking(connection.get("email", ""), "" if lasting else "consent")


GOOGLE = Provider(
    name="google",
    title="Google",
    access_url="https://myaccount.google.com/connections",
    offers=(
        Offer("google_calendar", "Calendar", "Your calendars and their events"),
        Offer("google_gmail", "Gmail", "Your mail and its labels"),
        Offer("google_contacts", "Contacts", "The people in your address book"),
        Offer("google_tasks", "Tasks", "Your task lists"),
    ),
    require=google_oauth.require_client,
    scopes=_google_scopes,
    asking=_asking_google,
    consent_url=google_oauth.consent_url,
    exchange=google_oauth.exchange,
    connect=connect_grant,
)

PROVIDERS = {provider.name: provider for provider in (GOOGLE,)}
