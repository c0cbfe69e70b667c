"""Google's refusals, and the network's, as our errors.

Google answers in two shapes, often in both at once: `error.errors[].reason`, and
google.rpc with `error.status` and `error.details[].reason`.
https://developers.google.com/workspace/calendar/api/guides/errors
https://developers.google.com/workspace/gmail/api/guides/handle-errors
https://cloud.google.com/apis/design/errors

Our messages carry method, status and reason.  The text that Google sends and
str(HttpError) hold addresses, ids and search terms, so they are only parsed.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httplib2
from google.auth.exceptions import GoogleAuthError, RefreshError
from googleapiclient.errors import BatchError, HttpError

from pipeline.clients.retry_after import seconds_of_header
from pipeline.errors import (
    CursorExpired,
    Gone,
    HeadraceError,
    Misconfigured,
    NotPushed,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.limits.profiles import LevelName

#: What a call through googleapiclient may raise when Google or the network fails.
PROVIDER_ERRORS = (
    HttpError,
    GoogleAuthError,
    httplib2.HttpLib2Error,
    http.client.HTTPException,
    OSError,  # with timeouts, TLS and dropped connections
    UnicodeDecodeError,
)

#: A quota window is a minute long; by then about half of it is free again.
_WAIT_SECONDS = 30.0
#: Too many calls at the same time: the others end soon.
_CONCURRENCY_WAIT_SECONDS = 2.0
#: Daily limits and Calendar's abuse limits last for hours; a call each hour finds their end.
_LONG_WAIT_SECONDS = 3600.0
_LONGEST_WAIT_SECONDS = 86_400.0

_RATE_REASONS = frozenset(
    ("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")
)
_LONG_REASONS = frozenset(("quotaExceeded", "dailyLimitExceeded"))
_MEANINGS: dict[str, type[HeadraceError]] = {
    "fullSyncRequired": CursorExpired,
    "updatedMinTooLongAgo": CursorExpired,
    "EXPIRED_SYNC_TOKEN": CursorExpired,
    # Calendars of holidays and birthdays, and imported ones.
    "pushNotSupportedForRequestedResource": NotPushed,
    "insufficientPermissions": ReauthRequired,
    "insufficientScopes": ReauthRequired,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": ReauthRequired,
    # The user's organization forbids the app: nothing that we can mend, and it will not pass.
    "domainPolicy": ReauthRequired,
    "accessNotConfigured": Misconfigured,
    "SERVICE_DISABLED": Misconfigured,
    "BILLING_DISABLED": Misconfigured,
    "CONSUMER_INVALID": Misconfigured,
    "CONSUMER_SUSPENDED": Misconfigured,
    "USER_PROJECT_DENIED": Misconfigured,
}
_BY_STATUS: dict[int, type[HeadraceError]] = {
    401: ReauthRequired,  # the transport has refreshed the token and tried again by now
    404: Gone,
    408: Transient,
    409: Transient,
    410: Gone,
}
_TOKEN_MEANINGS: dict[str, type[HeadraceError]] = {
    "invalid_grant": ReauthRequired,
    "invalid_scope": ReauthRequired,
    "access_denied": ReauthRequired,
    "admin_policy_enforced": ReauthRequired,
    "invalid_client": Misconfigured,
    "unauthorized_client": Misconfigured,
    "deleted_client": Misconfigured,
    "disabled_client": Misconfigured,
    "org_internal": Misconfigured,
    "unsupported_grant_type": Misconfigured,
}

_CODE = re.compile(r"[A-Za-z_]{1,60}")
_RETRY_AT = re.compile(r"retry after (\d{4}-\d\d-\d\dT[\d:.]+Z)", re.IGNORECASE)


def classify(error: Exception, method: str, *, carries_cursor: bool = False) -> HeadraceError:
    """Return `error`, one of PROVIDER_ERRORS, as one of ours; one of ours stays as it is.

    `carries_cursor` says that the request named a place to go on from; only
    then can a refusal mean that the place is not known any more.
    """
    if isinstance(error, HeadraceError):
        return error
    if isinstance(error, RefreshError):
        return classify_refresh(error)
    if status_of(error) and isinstance(error, HttpError):
        return _Refusal.of(error, method).meaning(carries_cursor)
    return Transient(f"{method}: no usable answer ({type(error).__name__})")


def status_of(error: Exception) -> int:
    """Return the HTTP status of a refusal; 0 if there was no answer, or a damaged one."""
    # BatchError is an HttpError about a batch that was answered, but not with parts.
    if isinstance(error, HttpError) and not isinstance(error, BatchError):
        return int(error.status_code)
    return 0


def classify_refresh(error: RefreshError) -> HeadraceError:
    """Return what a refused token refresh means.

    https://developers.google.com/identity/protocols/oauth2#expiration
    """
    answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
    code = str(answer.get("error", ""))
    # The library replaces the answer of this one case (Workspace session control).
    if "Reauthentication is needed" in str(error.args[0] if error.args else ""):
        code = "invalid_grant"
    name = code if _CODE.fullmatch(code) else "no reason"
    message = f"the token endpoint refused the refresh ({name})"
    if error.retryable:
        return Transient(message)
    return _TOKEN_MEANINGS.get(code, Transient)(message)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One HTTP error answer, taken apart."""

    method: str
    status: int
    reasons: tuple[str, ...]
    text: str  # lower case; may hold personal data
    retry_after: str
    retry_delay: str

    @classmethod
    def of(cls, error: HttpError, method: str) -> Self:
        body = _error_of(error.content)
        details = [d for d in _listed(body.get("details")) if isinstance(d, dict)]
        entries = [e for e in _listed(body.get("errors")) if isinstance(e, dict)]
        codes = [found.get("reason") for found in (*entries, *details)] + [body.get("status")]
        if "insufficient_scope" in error.resp.get("www-authenticate", ""):
            codes.append("insufficientScopes")
        return cls(
            method=method,
            status=int(error.resp.status),
            reasons=tuple(c for c in codes if isinstance(c, str) and _CODE.fullmatch(c)),
            text=str(body.get("message", "")).lower(),
            retry_after=error.resp.get("retry-after", ""),
            retry_delay=next((str(d["retryDelay"]) for d in details if "retryDelay" in d), ""),
        )

    def __str__(self) -> str:
        reason = f" ({self.reasons[0]})" if self.reasons else ""
        return f"{self.method} was answered {self.status}{reason}"

    def meaning(self, carries_cursor: bool) -> HeadraceError:
        known = next((_MEANINGS[r] for r in self.reasons if r in _MEANINGS), None)
        if known:
            return known(str(self))
        if self._is_rate_limit():
            return RateLimited(
                str(self), retry_after_seconds=self._wait_seconds(), scope=self._level()
            )
        if self._has_no_mailbox():
            return ReauthRequired(f"{self}: this Google account has no mailbox")
        if self.status >= 500 or not self.reasons:
            # Without a reason it is not Google that speaks: a proxy's 404 must delete nothing.
            return Transient(str(self))
        if carries_cursor and self._refuses_cursor():
            return CursorExpired(str(self))
        return _BY_STATUS.get(self.status, Permanent)(str(self))

    def _refuses_cursor(self) -> bool:
        # 400 for a token that does not fit the request: listing anew is the way out of both.
        # Only Gmail answers 404; elsewhere that is a calendar or list which is gone.
        # https://developers.google.com/workspace/gmail/api/guides/sync#limitations
        is_history = self.method == "gmail.users.history.list"
        return self.status in (400, 410) or (self.status == 404 and is_history)

    def _has_no_mailbox(self) -> bool:
        return self.status == 400 and "mail service not enabled" in self.text

    def _is_rate_limit(self) -> bool:
        limits = _RATE_REASONS | _LONG_REASONS
        return self.status == 429 or (self.status == 403 and not limits.isdisjoint(self.reasons))

    def _level(self) -> LevelName:
        if "dailyLimitExceeded" in self.reasons or "per day" in self.text:
            return "day"
        if "per minute" in self.text and "user" not in self.text:
            return "project"
        # When Google does not say, the narrowest: pausing everybody would need better reasons.
        return "user"

    def _wait_seconds(self) -> float:
        asked = (
            seconds_of_header(self.retry_after),
            _seconds_until(_RETRY_AT.search(self.text)),
            _seconds_of_delay(self.retry_delay),
        )
        wait_seconds = max(asked) or self._usual_wait_seconds()
        return min(max(wait_seconds, 1.0), _LONGEST_WAIT_SECONDS)

    def _usual_wait_seconds(self) -> float:
        if not _LONG_REASONS.isdisjoint(self.reasons) or self._level() == "day":
            return _LONG_WAIT_SECONDS
        return _CONCURRENCY_WAIT_SECONDS if "concurrent" in self.text else _WAIT_SECONDS


def _error_of(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:  # a proxy's page, or half an answer
        return {}
    found = body[0] if isinstance(body, list) and body else body
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _seconds_until(found: re.Match[str] | None) -> float:
    """Return the seconds until the moment that Gmail names in its text; 0 if it names none."""
    if found is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(found.group(1).upper())
    except ValueError:
        return 0.0
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _seconds_of_delay(value: str) -> float:
    """Return the seconds of a google.protobuf.Duration in JSON, such as `1.5s`; 0 if it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", value)
    return float(found.group(1)) if found else 0.0
