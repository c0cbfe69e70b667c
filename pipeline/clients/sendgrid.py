"""SendGrid's v3 API: one mail, what became of one, and what an API key may do.

https://www.twilio.com/docs/sendgrid/api-reference
Our messages carry status and the fields that SendGrid names; its text may name recipients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from requests.auth import AuthBase

from pipeline.clients import outreach_http
from pipeline.clients.outreach_http import Request
from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured

_FIELD = re.compile(r"[A-Za-z_]+(\.[A-Za-z0-9_]+){0,6}")
_RECIPIENT_FIELD = re.compile(r"personalizations\.\d+\.to(\.|$)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: What a key without rights, or an account without credits, is told.
_NO_CREDITS = "Maximum credits exceeded"
#: More senders than that are not looked through.
_SENDERS = "500"


@dataclass(frozen=True, slots=True)
class Activity:
    """A mail that SendGrid knows of; `last_event_at` is when it last learnt something of it."""

    message_id: str
    last_event_at: datetime | None


class _Key(AuthBase):
    """The API key as a header that no .netrc of the machine replaces."""

    def __init__(self, key: str) -> None:
        if not re.fullmatch(r"[!-~]+", key):
            raise Misconfigured(
                "sendgrid: the API key, of the sender or SENDGRID_API_KEY, is empty or none"
            )
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def send(key: str, mail: Mapping[str, Any]) -> str:
    """Hand over one mail; return SendGrid's id of it, which its events begin with.

    Raises NotTaken, RateLimited, Refused, Misconfigured or Unanswered.
    https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
    """
    request = _request(key, "POST", "/mail/send", json=mail)
    answer = _answer(request)
    message_id = answer.headers.get("X-Message-Id", "")
    if answer.status_code != requests.codes.accepted or not message_id:
        raise Unanswered(f"{request} was answered {answer.status_code} without a message id")
    return message_id


def find(key: str, argument: str, value: str) -> list[Activity] | None:
    """Return the mails with this custom argument; None if the account cannot be asked.

    Email Activity is sold separately, and a key needs a right of its own for it.
    https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api
    """
    if not _ID.fullmatch(value):
        raise ValueError("only ids are asked for")
    query = f"(unique_args['{argument}']=\"{value}\")"
    request = _request(key, "GET", "/messages", params={"query": query, "limit": "10"})
    answer = outreach_http.ask(request)
    if answer.status_code in (requests.codes.forbidden, requests.codes.not_found):
        return None
    found = outreach_http.object_of(request, _checked(request, answer)).get("messages")
    return [_activity(entry) for entry in found or () if isinstance(entry, dict)]


def scopes(key: str) -> frozenset[str]:
    """Return what the key may do."""
    request = _request(key, "GET", "/scopes")
    found = outreach_http.object_of(request, _answer(request)).get("scopes")
    return frozenset(str(scope) for scope in found or ())


def verified_addresses(key: str) -> frozenset[str] | None:
    """Return the addresses that were verified one by one, in lower case; None if the key may not
    see them."""
    rows = _listed(_request(key, "GET", "/verified_senders", params={"limit": _SENDERS}))
    if rows is None:
        return None
    return frozenset(str(row.get("from_email", "")).lower() for row in rows if row.get("verified"))


def authenticated_domains(key: str, domain: str) -> frozenset[str] | None:
    """Return which domains of that name are authenticated; None if the key may not see them."""
    rows = _listed(_request(key, "GET", "/whitelabel/domains", params={"domain": domain}))
    if rows is None:
        return None
    return frozenset(str(row.get("domain", "")).lower() for row in rows if row.get("valid"))


def _request(
    key: str,
    verb: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
) -> Request:
    url = f"{settings().sendgrid_api_base_url}/v3{path}"
    method = f"{verb} {path}"
    return Request("sendgrid", method, verb, url, _Key(key), params or {}, json=json)


def _answer(request: Request) -> requests.Response:
    return _checked(request, outreach_http.ask(request))


def _checked(request: Request, answer: requests.Response) -> requests.Response:
    """Return a good answer.  Raises what any other one means."""
    refusal = outreach_http.refused_in_general(request, answer)
    if refusal is None and answer.status_code >= 400:
        refusal = _refusal(request, answer)
    if refusal is not None:
        raise refusal
    return answer


def _refusal(request: Request, answer: requests.Response) -> HeadraceError:
    status = answer.status_code
    text = f"{request} was answered {status}"
    body = outreach_http.json_of(answer)
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list):
        return NotTaken(f"{text} without SendGrid's words")  # so it is not SendGrid that speaks
    entries = [entry for entry in errors if isinstance(entry, dict)]
    if any(entry.get("message") == _NO_CREDITS for entry in entries):
        return Misconfigured(f"{text}: the account has no credits left")
    fields = [str(entry.get("field") or "") for entry in entries]
    known = [name for name in fields if _FIELD.fullmatch(name)]
    said = f"{text} ({', '.join(known)})" if known else text
    if status == requests.codes.unauthorized:
        return Misconfigured(f"{said}: the API key is not accepted")
    if status == requests.codes.forbidden:
        return Misconfigured(f"{said}: the key may not send, or not from this address")
    if status == requests.codes.not_found:
        return Misconfigured(f"{said}: SENDGRID_API_BASE_URL is not SendGrid's")
    if any(name.split(".")[0] == "from" for name in known):
        return Misconfigured(f"{said}: the sender's address is not accepted")
    return Refused(said, is_address=any(_RECIPIENT_FIELD.match(name) for name in known))


def _listed(request: Request) -> list[Mapping[str, Any]] | None:
    answer = outreach_http.ask(request)
    if answer.status_code == requests.codes.forbidden:
        return None
    body = outreach_http.json_of(_checked(request, answer))
    rows = body.get("results") if isinstance(body, dict) else body
    if not isinstance(rows, list):
        raise Unanswered(f"{request}: the answer is not a list")
    return [row for row in rows if isinstance(row, dict)]


def _activity(entry: Mapping[str, Any]) -> Activity:
    try:
        at = datetime.fromisoformat(str(entry.get("last_event_time", "")))
    except ValueError:
        at = None
    return Activity(str(entry.get("msg_id", "")), at)
