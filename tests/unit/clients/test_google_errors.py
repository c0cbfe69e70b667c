"""What Google's and the network's failures mean to us."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError, TransportError
from googleapiclient.errors import BatchError, HttpError
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pipeline.clients.google_errors import PROVIDER_ERRORS, classify, classify_refresh
from pipeline.errors import (
    CursorExpired,
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)

URL = "https://www.googleapis.com/calendar/v3/calendars/ada%40private.example/events?syncToken=priv"


def answered(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> HttpError:
    """Return the error that the client library makes of an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = httplib2.Response({"status": str(status), **(headers or {})})
    response.reason = "Reason"
    return HttpError(response, content, uri=URL)


def classic(reason: str, message: str = "ada@private.example") -> dict[str, Any]:
    return {"error": {"errors": [{"reason": reason, "message": message}], "message": message}}


def rpc(status: str, reason: str | None = None, message: str = "ada@private.example") -> Any:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return {"error": {"status": status, "message": message, "details": details if reason else []}}


LIST, HISTORY = "calendar.events.list", "gmail.users.history.list"
QUOTA_TEXT = "Quota exceeded for quota metric 'Queries' and limit 'Queries per {}'"

MEANINGS: list[tuple[int, Any, type[HeadraceError]]] = [
    (400, classic("badRequest"), Permanent),
    (400, rpc("FAILED_PRECONDITION", "EXPIRED_SYNC_TOKEN"), CursorExpired),
    (400, classic("failedPrecondition", "Mail service not enabled"), ReauthRequired),
    (401, classic("authError"), ReauthRequired),
    (401, rpc("UNAUTHENTICATED"), ReauthRequired),
    (403, classic("rateLimitExceeded"), RateLimited),
    (403, classic("userRateLimitExceeded"), RateLimited),
    (403, classic("quotaExceeded"), RateLimited),
    (403, classic("dailyLimitExceeded"), RateLimited),
    (403, rpc("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), RateLimited),
    (403, classic("insufficientPermissions"), ReauthRequired),
    (403, rpc("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), ReauthRequired),
    (403, classic("domainPolicy"), ReauthRequired),
    (403, classic("accessNotConfigured"), Misconfigured),
    (403, rpc("PERMISSION_DENIED", "SERVICE_DISABLED"), Misconfigured),
    (403, classic("forbidden"), Permanent),
    (403, rpc("PERMISSION_DENIED"), Permanent),
    (404, classic("notFound"), Gone),
    (404, rpc("NOT_FOUND"), Gone),
    (409, classic("conflict"), Transient),
    (410, classic("deleted"), Gone),
    (410, classic("fullSyncRequired"), CursorExpired),
    (410, classic("updatedMinTooLongAgo"), CursorExpired),
    (412, classic("conditionNotMet"), Permanent),
    (429, classic("rateLimitExceeded"), RateLimited),
    (429, rpc("RESOURCE_EXHAUSTED"), RateLimited),
    (429, b"", RateLimited),
    (500, classic("backendError"), Transient),
    (502, b"<html>Bad Gateway</html>", Transient),
    (503, rpc("UNAVAILABLE"), Transient),
]


@pytest.mark.parametrize(("status", "body", "meaning"), MEANINGS)
def test_an_answer_means(status: int, body: Any, meaning: type[HeadraceError]) -> None:
    assert type(classify(answered(status, body), LIST)) is meaning


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_that_is_not_googles_deletes_nothing_and_blames_nobody(status: int) -> None:
    for body in (b"", b"<html>not here</html>", b"[]", b"[7]", b'{"error": "no"}', b"\xff"):
        error = classify(answered(status, body), LIST, carries_cursor=True)
        assert type(error) is Transient


@pytest.mark.parametrize(
    ("method", "status", "body", "meaning"),
    [
        (HISTORY, 404, classic("notFound"), CursorExpired),
        (LIST, 404, classic("notFound"), Gone),
        (LIST, 410, classic("gone"), CursorExpired),
        (LIST, 400, classic("invalid"), CursorExpired),
        (HISTORY, 400, classic("invalidArgument"), CursorExpired),
        (HISTORY, 400, classic("failedPrecondition", "Mail service not enabled"), ReauthRequired),
        (LIST, 403, classic("forbidden"), Permanent),
        (LIST, 500, classic("backendError"), Transient),
    ],
)
def test_a_request_that_carried_a_cursor_may_have_lost_it(
    method: str, status: int, body: Any, meaning: type[HeadraceError]
) -> None:
    assert type(classify(answered(status, body), method, carries_cursor=True)) is meaning


def test_a_missing_scope_is_also_read_from_the_header() -> None:
    headers = {"www-authenticate": 'Bearer realm="x", error="insufficient_scope"'}
    body = rpc("PERMISSION_DENIED")
    assert isinstance(classify(answered(403, body, headers), LIST), ReauthRequired)


def limited(error: HttpError, method: str = LIST) -> RateLimited:
    meaning = classify(error, method)
    assert isinstance(meaning, RateLimited)
    return meaning


@pytest.mark.parametrize(
    ("body", "level"),
    [
        (classic("userRateLimitExceeded"), "user"),
        (classic("rateLimitExceeded", QUOTA_TEXT.format("minute per user")), "user"),
        (classic("rateLimitExceeded", QUOTA_TEXT.format("minute")), "project"),
        (classic("rateLimitExceeded", QUOTA_TEXT.format("day")), "day"),
        (classic("dailyLimitExceeded", "Daily Limit Exceeded"), "day"),
        (classic("rateLimitExceeded", "User-rate limit exceeded."), "user"),
        (classic("rateLimitExceeded", "Too many concurrent requests for user."), "user"),
        (classic("quotaExceeded", "Calendar usage limits exceeded."), "user"),
        (rpc("RESOURCE_EXHAUSTED"), "user"),
    ],
)
def test_a_rate_limit_says_who_waits(body: Any, level: str) -> None:
    assert limited(answered(403, body)).scope == level


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (classic("rateLimitExceeded"), {"retry-after": "17"}, 17),
        (classic("rateLimitExceeded"), {"retry-after": "0"}, 30),
        (classic("rateLimitExceeded"), {"retry-after": "soon"}, 30),
        (classic("rateLimitExceeded"), {"retry-after": "9" * 12}, 86_400),
        (classic("rateLimitExceeded"), {}, 30),
        (classic("rateLimitExceeded", "Too many concurrent requests for user."), {}, 2),
        (classic("rateLimitExceeded", QUOTA_TEXT.format("day")), {}, 3600),
        (classic("quotaExceeded"), {}, 3600),
        (classic("dailyLimitExceeded"), {}, 3600),
        ({"error": {"status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "4.5s"}]}}, {}, 4.5),
    ],
)
def test_a_rate_limit_says_how_long(body: Any, headers: dict[str, str], seconds: float) -> None:
    assert limited(answered(429, body, headers)).retry_after_seconds == seconds


def test_a_wait_may_be_given_as_a_date() -> None:
    headers = {"retry-after": format_datetime(in_seconds(90), usegmt=True)}
    assert 85 < limited(answered(429, b"", headers)).retry_after_seconds < 91


def test_gmail_names_the_moment_in_its_text() -> None:
    moment = in_seconds(120).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = classic("rateLimitExceeded", f"User-rate limit exceeded.  Retry after {moment}")
    assert 115 < limited(answered(429, body)).retry_after_seconds < 121
    past = classic("rateLimitExceeded", "Retry after 2020-01-01T00:00:00.000Z")
    assert limited(answered(429, past)).retry_after_seconds == 30


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("timed out"),
        ConnectionResetError(104, "reset"),
        BrokenPipeError(),
        ssl.SSLError("wrong version"),
        OSError(113, "no route"),
        httplib2.ServerNotFoundError("private.example"),
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected("closed"),
        BatchError("not multipart"),
        TransportError("no answer"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ],
)
def test_a_lost_answer_usually_passes(error: Exception) -> None:
    assert isinstance(error, PROVIDER_ERRORS)
    meaning = classify(error, LIST)
    assert type(meaning) is Transient
    assert str(meaning) == f"{LIST}: no usable answer ({type(error).__name__})"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("invalid_grant", ReauthRequired),
        ("invalid_scope", ReauthRequired),
        ("access_denied", ReauthRequired),
        ("admin_policy_enforced", ReauthRequired),
        ("invalid_client", Misconfigured),
        ("unauthorized_client", Misconfigured),
        ("deleted_client", Misconfigured),
        ("something_new", Transient),
    ],
)
def test_a_refused_refresh_means(code: str, meaning: type[HeadraceError]) -> None:
    error = RefreshError(f"{code}: text", {"error": code, "error_description": "text"})
    assert type(classify(error, LIST)) is meaning


@pytest.mark.parametrize(
    "error",
    [
        RefreshError("invalid_grant: later", {"error": "invalid_grant"}, retryable=True),
        RefreshError("<html>503</html>"),
        RefreshError("{}", {}),
        RefreshError("odd", {"error": {"code": 1}}),
        RefreshError(),
    ],
)
def test_a_refresh_that_failed_without_a_reason_usually_passes(error: RefreshError) -> None:
    assert type(classify_refresh(error)) is Transient


def test_a_session_that_an_organization_ended_needs_its_user() -> None:
    error = RefreshError("Reauthentication is needed. Please run `gcloud auth …`")
    assert type(classify_refresh(error)) is ReauthRequired


@given(
    status=st.integers(300, 599),
    reason=st.text(max_size=20) | st.sampled_from(["notFound", "rateLimitExceeded", "forbidden"]),
    message=st.text(max_size=40),
    header=st.text(max_size=20),
    carries_cursor=st.booleans(),
)
def test_every_refusal_has_a_meaning_and_tells_no_secrets(
    status: int, reason: str, message: str, header: str, carries_cursor: bool
) -> None:
    body = {"error": {"errors": [{"reason": reason}], "message": f"private {message}"}}
    error = classify(
        answered(status, body, {"retry-after": header}), LIST, carries_cursor=carries_cursor
    )
    assert type(error) in HeadraceError.__subclasses__()
    assert str(error).startswith(f"{LIST} was answered {status}")
    assert "priv" not in str(error)
    if isinstance(error, RateLimited):
        assert 1 <= error.retry_after_seconds <= 86_400


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "details", "status", "reason", "message"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(content=st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_is_too_strange(content: bytes) -> None:
    for status in (400, 403, 404, 429, 503):
        try:
            error = answered(status, content)
        except AttributeError:  # some bodies are too strange for the client library
            reject()
        assert isinstance(classify(error, LIST), HeadraceError)
