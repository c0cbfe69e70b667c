"""The providers that people can connect: one entry each, and everything else follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pipeline.clients import (
    google_oauth,
    grants,
    microsoft_login,
    microsoft_oauth,
    microsoft_scopes,
)
from pipeline.clients.consents import Consent
from pipeline.clients.credentials import find_connection
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
    asked who has connected before; `begin` returns the address of the consent page and
    what must be remembered for the answer.  `promise` says what is done there, and
    `access_url` is where people take access back.
    """

    name: str
    title: str
    promise: str
    access_url: str
    offers: tuple[Offer, ...]
    require: Callable[[], None]
    scopes: Callable[[Collection[str]], tuple[str, ...]]
    asking: Callable[[str, bool], Asking]
    begin: Callable[[Consent], tuple[str, Consent]]
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
    promise="It reads only; it changes nothing there.",
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
    begin=google_oauth.begin,
    exchange=google_oauth.exchange,
    connect=connect_grant,
)


def _microsoft_scopes(sources: Collection[str]) -> tuple[str, ...]:
    wanted = [scope for source in sources for scope in microsoft_scopes.scopes_of_source(source)]
    return tuple(dict.fromkeys((microsoft_scopes.IDENTITY_SCOPE, *wanted)))


def _asking_microsoft(user_id: str, other_account: bool) -> Asking:
    """Microsoft gives a refresh token each time, so nobody is asked for consent twice."""
    if other_account:
        return Asking(prompt="select_account")
    connection = find_connection(user_id, "microsoft") or {}
    email = connection.get("email", "")
    return Asking(email, "" if email else "select_account")


MICROSOFT = Provider(
    name="microsoft",
    title="Microsoft",
    promise="It reads your mail. It also files, marks and forwards mail, but only by rules that "
    "you have agreed to; it never deletes any for good.",
    access_url="https://myapps.microsoft.com",
    offers=(Offer("microsoft_mail", "Mail", "Your mail, its folders and your inbox rules"),),
    require=microsoft_login.require_client,
    scopes=_microsoft_scopes,
    asking=_asking_microsoft,
    begin=microsoft_oauth.begin,
    exchange=microsoft_oauth.exchange,
    connect=connect_grant,
)

PROVIDERS = {provider.name: provider for provider in (GOOGLE, MICROSOFT)}
