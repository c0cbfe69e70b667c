"""What Microsoft tells of an account when it is connected: address, name, time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import win_tz

from pipeline.clients.charged import Outcome
from pipeline.clients.microsoft_requests import GraphRequest
from pipeline.clients.microsoft_wire import GraphWire, Refused
from pipeline.errors import HeadraceError, Permanent
from pipeline.limits import ledger
from pipeline.limits.profiles import MICROSOFT_MAIL

_PERSON = GraphRequest.of("GET /me", {"select": "displayName,mail,userPrincipalName"})
_MAILBOX = GraphRequest.of("GET /me/mailboxSettings", {"select": "timeZone"})


class NoMailbox(Permanent):
    """The account has no mailbox, or one that Microsoft Graph does not reach."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of an account; empty where Microsoft does not say.

    `email` is in lower case; `time_zone` is the IANA name of the mailbox's zone.
    """

    email: str = ""
    display_name: str = ""
    time_zone: str = ""


def account_facts(token: str, account_id: str) -> AccountFacts:
    """Ask Microsoft who the account is.

    Raises NoMailbox, or RateLimited by our own ledger.  That there is no answer otherwise
    is no reason not to connect.
    """
    for request in (_PERSON, _MAILBOX):
        ledger.take(MICROSOFT_MAIL, account_id, request.method)
    wire = GraphWire(account_id)
    try:
        person, mailbox = wire.send_batch([_PERSON, _MAILBOX], token)
    finally:
        wire.close()
    if isinstance(mailbox, Refused) and mailbox.refusal.has_no_mailbox:
        raise NoMailbox("this Microsoft account has no mailbox that can be read")
    who = _answered(person)
    address = who.get("mail") or who.get("userPrincipalName") or ""
    return AccountFacts(
        email=str(address).strip().lower(),
        display_name=str(who.get("displayName") or ""),
        time_zone=iana_name(str(_answered(mailbox).get("timeZone") or "")),
    )


def iana_name(zone: str) -> str:
    """Return the IANA name of a zone that a mailbox names, as Windows does or not; or empty.

    https://learn.microsoft.com/graph/api/resources/mailboxsettings
    """
    name = win_tz.get(zone, zone)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""  # such as one of the person's own making
    return name


def _answered(outcome: Outcome | Refused) -> Mapping[str, Any]:
    return {} if isinstance(outcome, Refused | HeadraceError) else outcome
