"""Twilio's REST API: one SMS, those to a number, and whether account and number are in order.

https://www.twilio.com/docs/messaging/api/message-resource
Our messages carry status and Twilio's code; its text names numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth

from pipeline.clients import outreach_http
from pipeline.clients.outreach_http import Request
from pipeline.clients.sending_errors import Unanswered
from pipeline.clients.twilio_errors import refusal
from pipeline.config import settings
from pipeline.errors import Misconfigured

_VERSION = "/2010-04-01"
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_PAGE = "100"
#: Pages that are looked through at most.
_PAGES = 20


@dataclass(frozen=True, slots=True)
class Account:
    """Whose messages they are: an account's sid, and the secret that comes with it."""

    sid: str
    token: str

    def __post_init__(self) -> None:
        if not _SID.fullmatch(self.sid) or not re.fullmatch(r"[!-~]+", self.token):
            raise Misconfigured(
                "twilio: account sid and auth token, of the sender or TWILIO_ACCOUNT_SID and"
                " TWILIO_AUTH_TOKEN, are empty or none"
            )


@dataclass(frozen=True, slots=True)
class Message:
    """An SMS that Twilio has.  `at` is when it came to Twilio."""

    sid: str
    text: str
    at: datetime

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """Raises ValueError if it is none."""
        sid = str(entry.get("sid", ""))
        if not _SID.fullmatch(sid):
            raise ValueError("a message without a sid")
        at = parsedate_to_datetime(str(entry.get("date_created", "")))
        return cls(sid, str(entry.get("body", "")), at.replace(tzinfo=at.tzinfo or UTC))


class TooMany(Exception):
    """There are more messages than are looked through."""


def send(account: Account, *, sender: str, to: str, text: str, status_url: str = "") -> str:
    """Hand over one SMS; return its sid.

    Raises NotTaken, RateLimited, Refused, Misconfigured or Unanswered.
    """
    form = {"From": sender, "To": to, "Body": text}
    if status_url:
        form["StatusCallback"] = status_url
    request = _request(account, "POST", "Messages", form=form)
    sid = str(outreach_http.object_of(request, _answer(request)).get("sid", ""))
    if not _SID.fullmatch(sid):
        raise Unanswered(f"{request}: the answer has no sid")
    return sid


def messages(account: Account, *, sender: str, to: str) -> Iterator[Message]:
    """Yield the SMS from one number to another.  Raises TooMany when they do not end.

    Not by DateSent, which a message has only once it was sent.
    """
    params = {"From": sender, "To": to, "PageSize": _PAGE}
    request = _request(account, "GET", "Messages", params=params)
    for _ in range(_PAGES):
        page = outreach_http.object_of(request, _answer(request))
        yield from _messages(request, page)
        following = page.get("next_page_uri")
        if not following:
            return
        request = _following(account, request, str(following))
    raise TooMany


def account_status(account: Account) -> str:
    """Return active, suspended or closed."""
    request = _request(account, "GET", "")
    return str(outreach_http.object_of(request, _answer(request)).get("status", ""))


def can_send(account: Account, number: str) -> bool | None:
    """Return whether a number of the account's can send SMS; None if it is not the account's."""
    request = _request(account, "GET", "IncomingPhoneNumbers", params={"PhoneNumber": number})
    found = outreach_http.object_of(request, _answer(request)).get("incoming_phone_numbers")
    for entry in found or ():
        if entry.get("phone_number") == number:
            return bool((entry.get("capabilities") or {}).get("sms"))
    return None


def _request(
    account: Account,
    verb: str,
    resource: str,
    *,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Request:
    of_account = f"/{resource}" if resource else ""
    url = f"{settings().twilio_api_base_url}{_VERSION}/Accounts/{account.sid}{of_account}.json"
    method = f"{verb} {resource or 'Account'}"
    auth = HTTPBasicAuth(account.sid, account.token)
    return Request("twilio", method, verb, url, auth, params or {}, form)


def _following(account: Account, request: Request, uri: str) -> Request:
    """Return the request of a next page; a secret goes to no other place than before."""
    path = urlsplit(request.url).path.removeprefix(_prefix())
    if not uri.startswith(f"{path}?"):
        raise Unanswered(f"{request}: the next page is elsewhere")
    url = f"{settings().twilio_api_base_url}{uri}"
    auth = HTTPBasicAuth(account.sid, account.token)
    return Request("twilio", request.method, "GET", url, auth)


def _prefix() -> str:
    """Return the path of TWILIO_API_BASE_URL, which a proxy may have."""
    return urlsplit(settings().twilio_api_base_url).path


def _answer(request: Request) -> requests.Response:
    """Return a good answer.  Raises what any other one means."""
    answer = outreach_http.ask(request)
    refused = refusal(request, answer)
    if refused is not None:
        raise refused
    return answer


def _messages(request: Request, page: Mapping[str, Any]) -> list[Message]:
    try:
        return [Message.of(entry) for entry in page["messages"]]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Unanswered(f"{request}: the answer is no list of messages") from None
