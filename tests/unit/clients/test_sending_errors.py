"""What refusals of the providers mean, without the providers."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from pipeline.clients import sendgrid, twilio
from pipeline.clients.outreach_http import Request, refused_in_general
from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.clients.smtp import ascii_address
from pipeline.clients.smtp_errors import ServerReply
from pipeline.clients.twilio_errors import refusal
from pipeline.errors import HeadraceError, Misconfigured, RateLimited

REQUEST = Request("twilio", "POST Messages", "POST", "https://api.test", requests.auth.AuthBase())


def answer(status: int, body: object = None, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = b"<html>" if body is None else json.dumps(body).encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, 21211, Refused),
        (400, 21408, Refused),
        (400, 99999, Refused),
        (403, 21608, Refused),
        (400, 21606, Misconfigured),
        (401, 20003, Misconfigured),
        (403, 20403, Misconfigured),
        (404, 20404, Misconfigured),
        (429, 20429, RateLimited),
        (429, 63038, RateLimited),
        (400, 21611, RateLimited),
        (503, 20503, NotTaken),
        (500, 20500, Unanswered),
        (408, 20408, Unanswered),
        (301, None, Misconfigured),
        (400, None, NotTaken),
        (403, None, NotTaken),
        (502, None, Unanswered),
    ],
)
def test_twilios_codes_have_a_meaning(
    status: int, code: int | None, meaning: type[HeadraceError]
) -> None:
    body = None if code is None else {"code": code, "message": "to +4915550001", "status": status}
    found = refusal(REQUEST, answer(status, body))
    assert type(found) is meaning
    assert "+49" not in str(found)


@pytest.mark.parametrize(
    ("code", "is_address", "is_opt_out"),
    [(21211, True, False), (21614, True, False), (21610, False, True), (21408, False, False)],
)
def test_only_bad_numbers_are_held_against_them(
    code: int, is_address: bool, is_opt_out: bool
) -> None:
    found = refusal(REQUEST, answer(400, {"code": code}))
    assert isinstance(found, Refused)
    assert (found.is_address, found.is_opt_out) == (is_address, is_opt_out)


def test_a_good_answer_is_no_refusal() -> None:
    assert refusal(REQUEST, answer(201, {"sid": "SM1"})) is None
    assert refused_in_general(REQUEST, answer(202)) is None


def test_a_limit_says_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.clients.outreach_http.time.time", lambda: 1000.0)
    for headers, seconds in (
        ({"Retry_After": "7"}, 7),
        ({"X_RateLimit_Reset": "1042"}, 42),
        ({"X_RateLimit_Reset": "900"}, 1),
        ({"X_RateLimit_Reset": "soon"}, 30),
        ({}, 30),
        ({"Retry_After": "9999999"}, 86_400),
    ):
        found = refused_in_general(REQUEST, answer(429, **headers))
        assert isinstance(found, RateLimited)
        assert found.retry_after_seconds == seconds
    daily = refusal(REQUEST, answer(429, {"code": 63038}))
    assert isinstance(daily, RateLimited)
    assert daily.retry_after_seconds == 3600


@pytest.mark.parametrize(
    ("status", "errors", "meaning", "is_address"),
    [
        (400, [{"field": "personalizations.0.to.0.email", "message": "x"}], Refused, True),
        (400, [{"field": "content.0.value", "message": "x"}], Refused, False),
        (400, [{"field": "from.email", "message": "ada@acme.test is bad"}], Misconfigured, None),
        (413, [{"message": "too large", "field": None}], Refused, False),
        (401, [{"message": "Maximum credits exceeded"}], Misconfigured, None),
        (401, [{"message": "authorization required"}], Misconfigured, None),
        (403, [{"message": "access forbidden"}], Misconfigured, None),
        (404, [{"message": "not found"}], Misconfigured, None),
        (403, None, NotTaken, None),
    ],
)
def test_sendgrids_refusals_have_a_meaning(
    status: int, errors: Any, meaning: type[HeadraceError], is_address: bool | None
) -> None:
    body = None if errors is None else {"errors": errors}
    found = sendgrid._refusal(REQUEST, answer(status, body))
    assert type(found) is meaning
    assert getattr(found, "is_address", None) == is_address
    assert "ada@" not in str(found)


@pytest.mark.parametrize(
    ("step", "code", "text", "meaning", "is_address"),
    [
        ("greet", 421, "busy", NotTaken, None),
        ("greet", 554, "no", Misconfigured, None),
        ("sign in", 454, "4.7.0 later", NotTaken, None),
        ("sign in", 535, "5.7.8 no", Misconfigured, None),
        ("sender", 530, "5.7.0 sign in", Misconfigured, None),
        ("sender", 553, "5.7.1 not yours", Misconfigured, None),
        ("sender", 552, "5.3.4 too large", Refused, False),
        ("recipient", 450, "4.2.1 greylisted", NotTaken, None),
        ("recipient", 550, "5.1.1 ada@x.test unknown", Refused, True),
        ("recipient", 553, "no such user", Refused, True),
        ("recipient", 550, "5.7.1 relaying denied", Refused, False),
        ("recipient", 552, "5.2.2 mailbox full", Refused, False),
        ("recipient", 554, "denied", Refused, False),
        ("data", 250, "what?", NotTaken, None),
        ("message", 452, "4.3.1 disk full", NotTaken, None),
        ("message", 550, "5.7.1 spam", Refused, False),
    ],
)
def test_replies_of_mail_servers_have_a_meaning_by_step(
    step: str, code: int, text: str, meaning: type[HeadraceError], is_address: bool | None
) -> None:
    reply = ServerReply(step, code, text.encode())
    assert not reply.is_good
    found = reply.meaning()
    assert type(found) is meaning
    assert getattr(found, "is_address", None) == is_address
    assert "ada@" not in str(found)
    assert step in str(found)


def test_addresses_are_written_as_mail_servers_read_them() -> None:
    assert ascii_address("Ada.L+x@Bücher.test") == "Ada.L+x@xn--bcher-kva.test"
    for bad in ("", "ada", "@x.test", "ada@", "zoë@x.test", "a>b@x.test", "a b@x.test", "a@b\r\nc"):
        assert ascii_address(bad) == ""


def test_secrets_are_checked_before_they_are_sent() -> None:
    for key in ("", "a b", "a\r\nb", "schlüssel"):
        with pytest.raises(Misconfigured):
            sendgrid.scopes(key)
        with pytest.raises(Misconfigured):
            twilio.Account(f"AC{'0' * 32}", key)
    with pytest.raises(Misconfigured):
        twilio.Account("../x", "token")
