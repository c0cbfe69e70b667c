"""What refusals of Microsoft Graph and of its token endpoint mean to us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.microsoft_errors import Refusal, token_refusal
from pipeline.errors import (
    Changed,
    CursorExpired,
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)

GET = "GET /me/messages/{id}"


def refusal(
    status: int,
    code: str = "",
    *,
    method: str = GET,
    text: str = "ada@private.example",
    headers: dict[str, str] | None = None,
) -> Refusal:
    body = {"error": {"code": code, "message": text}} if code else None
    return Refusal.of(method, status, headers or {}, body)


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "ErrorInvalidIdMalformed", Permanent),
        (400, "SyncStateNotFound", CursorExpired),
        (400, "syncStateInvalid", CursorExpired),
        (401, "InvalidAuthenticationToken", ReauthRequired),
        (401, "", ReauthRequired),
        (403, "ErrorAccessDenied", ReauthRequired),
        (404, "ErrorItemNotFound", Gone),
        (404, "", Transient),
        (404, "MailboxNotEnabledForRESTAPI", ReauthRequired),
        (404, "MailboxNotSupportedForRESTAPI", ReauthRequired),
        (404, "ResourceNotFound", ReauthRequired),
        (409, "ErrorFolderExists", Transient),
        (409, "ErrorIrresolvableConflict", Changed),
        (410, "resyncRequired", CursorExpired),
        (410, "ErrorSomething", Gone),
        (412, "PreconditionFailed", Changed),
        (413, "ErrorMessageSizeExceeded", Permanent),
        (424, "FailedDependency", Transient),
        (429, "", RateLimited),
        (429, "ApplicationThrottled", RateLimited),
        (500, "ErrorInternalServerError", Transient),
        (503, "MailboxInfoStale", Transient),
        (503, "ServiceUnavailable", Transient),
        (302, "", Transient),
    ],
)
def test_each_refusal_has_its_meaning(status: int, code: str, meaning: type[HeadraceError]) -> None:
    found = refusal(status, code).meaning()
    assert type(found) is meaning
    assert "private" not in str(found)


def test_a_refused_link_is_a_lost_cursor_but_not_a_refused_item() -> None:
    for status in (400, 410):
        found = refusal(status, "BadRequest", method="GET link")
        assert isinstance(found.meaning(follows_link=True), CursorExpired)
        assert not isinstance(found.meaning(), CursorExpired)


def test_a_subscription_that_is_gone_is_no_lost_mailbox() -> None:
    found = refusal(404, "ResourceNotFound", method="PATCH /subscriptions/{id}")
    assert isinstance(found.meaning(), Gone)


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "text", "low", "high"),
    [
        (429, {"Retry-After": "17"}, "", 17, 17),
        (503, {"retry-after": "9"}, "", 9, 9),
        (429, {}, "over its MailboxConcurrency limit", 2, 2),
        (429, {}, "", 30, 30),
        (429, {"Retry-After": "0"}, "", 30, 30),
        (429, {"Retry-After": "99999999"}, "", 86_400, 86_400),
        (429, {"Retry-After": "soon"}, "", 30, 30),
    ],
)
def test_waits_as_long_as_it_is_asked_to(
    status: int, headers: dict[str, str], text: str, low: float, high: float
) -> None:
    found = refusal(status, "ApplicationThrottled", headers=headers, text=text).meaning()
    assert isinstance(found, RateLimited)
    assert low <= found.retry_after_seconds <= high
    assert found.scope == "user"


def test_a_moment_to_wait_until_is_understood_too() -> None:
    headers = {"Retry-After": in_seconds(60)}
    found = refusal(504, "x", headers=headers).meaning()
    assert isinstance(found, RateLimited)
    assert 55 < found.retry_after_seconds <= 60


@given(
    status=st.integers(300, 599),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("error", "code")), inner),
    ),
    header=st.text(),
)
def test_whatever_comes_is_one_of_our_errors(status: int, body: Any, header: str) -> None:
    found = Refusal.of(GET, status, {"Retry-After": header}, body).meaning(follows_link=True)
    assert isinstance(found, HeadraceError)
    assert str(found).startswith(f"{GET} was answered {status}")
    assert len(str(found)) < 200


@pytest.mark.parametrize(
    ("error", "text", "status", "meaning", "words"),
    [
        ("invalid_grant", "AADSTS700082: …", 400, ReauthRequired, "not used for too long"),
        ("invalid_grant", "AADSTS50173: …", 400, ReauthRequired, "revoked"),
        ("invalid_grant", "AADSTS65001: …", 400, ReauthRequired, "consent was withdrawn"),
        ("interaction_required", "AADSTS50076: …", 400, ReauthRequired, "another proof"),
        ("invalid_grant", "", 400, ReauthRequired, "invalid_grant"),
        ("invalid_client", "AADSTS7000215: …", 401, Misconfigured, "CLIENT_SECRET is wrong"),
        ("invalid_client", "AADSTS7000222: …", 401, Misconfigured, "has expired"),
        ("unauthorized_client", "AADSTS700016: …", 400, Misconfigured, "no such application"),
        ("invalid_grant", "AADSTS7000215: …", 400, Misconfigured, "CLIENT_SECRET"),
        ("temporarily_unavailable", "", 503, Transient, "temporarily_unavailable"),
        ("server_error", "", 200, Transient, "server_error"),
        ("", "", 0, Transient, "no reason"),
    ],
)
def test_what_the_token_endpoint_says(
    error: str, text: str, status: int, meaning: type[HeadraceError], words: str
) -> None:
    answer = {"error": error, "error_description": f"{text} ada@private.example"}
    found = token_refusal("the token refresh", answer, status)
    assert type(found) is meaning
    assert words in str(found)
    assert "private" not in str(found)


def test_a_token_endpoint_that_is_busy_is_waited_for() -> None:
    found = token_refusal("the token refresh", {}, 429, 12.0)
    assert isinstance(found, RateLimited)
    assert found.retry_after_seconds == 12.0
