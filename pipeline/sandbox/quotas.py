"""Quotas as data, enforced over sliding windows, and Gmail's limit on parallel calls.

Numbers, for projects made since May 2026:
https://developers.google.com/workspace/gmail/api/reference/quota
https://developers.google.com/workspace/calendar/api/guides/quota
https://developers.google.com/workspace/tasks/limits
https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits
The People API's numbers are shown only in a project's own console; ours are an assumption.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.sandbox.calls import ApiError, error_info
from pipeline.sandbox.clock import Clock, rfc3339
from pipeline.sandbox.settings import Settings

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Limit:
    """At most `units` in any `window_seconds`, for each user or for the whole project.

    With `methods` only calls of those kinds count.
    """

    name: str
    per_user: bool
    units: int
    window_seconds: int
    methods: frozenset[str] | None = None


@dataclass(frozen=True)
class Profile:
    """One API: what its methods cost (1 unless named) and its limits."""

    limits: tuple[Limit, ...]
    costs: dict[str, int] = field(default_factory=dict)


_GMAIL_COSTS = {
    "users.getProfile": 1,
    "users.labels.list": 1,
    "users.labels.get": 1,
    "users.history.list": 2,
    "users.messages.list": 5,
    "users.threads.list": 10,
    "users.messages.get": 20,
    "users.threads.get": 40,
    "users.messages.modify": 5,
    "users.messages.trash": 20,
    "users.messages.untrash": 20,
    "users.messages.delete": 20,
    "users.watch": 100,
    "users.stop": 50,
}

#: The first page of a full sync of contacts has a quota of its own, which cannot be raised
#: (https://developers.google.com/people/api/rest/v1/people.connections/list).
FULL_SYNC_FIRST_PAGE = "people.connections.list#first"

PROFILES = {
    "gmail": Profile(
        (
            Limit("Queries per minute per user", True, 6_000, MINUTE_SECONDS),
            Limit("Queries per minute", False, 1_200_000, MINUTE_SECONDS),
        ),
        _GMAIL_COSTS,
    ),
    "calendar": Profile(
        (
            Limit("Queries per minute per user", True, 600, MINUTE_SECONDS),
            Limit("Queries per minute", False, 10_000, MINUTE_SECONDS),
        )
    ),
    "tasks": Profile((Limit("Queries per day", False, 50_000, DAY_SECONDS),)),
    "people": Profile(
        (
            Limit("Critical read requests per minute per user", True, 90, MINUTE_SECONDS),
            Limit(
                *("Full sync requests per minute per user", True, 6, MINUTE_SECONDS),
                frozenset((FULL_SYNC_FIRST_PAGE,)),
            ),
        )
    ),
    "microsoft": Profile((Limit("MailboxRequests", True, 10_000, 600),)),
}

#: Gmail calls of one user in flight at once, and how many parts of a batch run at once.
GMAIL_PARALLEL_CALLS = 20
GMAIL_PARALLEL_PARTS = 25


class _Window:
    """Units spent in the last `window_seconds`."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def wait_seconds(self, now: float, limit: Limit, units: int, most: float) -> float:
        """0 when `units` more fit under `most`; otherwise how long until they would."""
        while self._spent and self._spent[0][0] <= now - limit.window_seconds:
            self._total -= self._spent.popleft()[1]
        excess = self._total + units - most
        if excess <= 0:
            return 0.0
        for at, spent in self._spent:
            excess -= spent
            if excess <= 0:
                return at + limit.window_seconds - now
        return float(limit.window_seconds)

    def spend(self, now: float, units: int) -> None:
        self._spent.append((now, units))
        self._total += units


class Quotas:
    """Counts what every user and the project have spent.  Kept in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, str], _Window] = {}
        self._in_flight: dict[str, int] = {}
        self.settings = Settings()

    def take(self, api: str, method: str, user: str, extra: str | None = None) -> int:
        """Spend a call's units and return them.  Raises ApiError, having spent nothing.

        `extra` names a second, special quota that this call also counts against.
        """
        profile = PROFILES.get(api)
        if profile is None:
            return 0
        units = profile.costs.get(method, 1)
        if not self.settings.quotas_enabled:
            return units
        now = self._clock.now().timestamp()
        with self._lock:
            windows = [
                (limit, self._window(api, limit, user))
                for limit in profile.limits
                if limit.methods is None or extra in limit.methods
            ]
            for limit, window in windows:
                most = limit.units * self.settings.quota_scale
                wait_seconds = window.wait_seconds(now, limit, units, most)
                if wait_seconds > 0:
                    raise _exceeded(api, limit, now, wait_seconds)
            for _, window in windows:
                window.spend(now, units)
        return units

    @contextmanager
    def in_flight(self, api: str, user: str) -> Iterator[None]:
        """Count a Gmail call while it runs.  Raises 429 when too many run already."""
        if api != "gmail":
            yield
            return
        with self._flight(user, 1, GMAIL_PARALLEL_CALLS) as admitted:
            if not admitted:
                raise too_many_concurrent()
            yield

    @contextmanager
    def batch_in_flight(self, user: str, parts: int) -> Iterator[int]:
        """Count a batch's parts while they run; yields how many of them may."""
        with self._flight(user, parts, GMAIL_PARALLEL_PARTS) as admitted:
            yield admitted

    @contextmanager
    def _flight(self, user: str, wanted: int, most: int) -> Iterator[int]:
        with self._lock:
            enabled = self.settings.quotas_enabled
            running = self._in_flight.get(user, 0)
            admitted = min(wanted, max(0, most - running)) if enabled else wanted
            self._in_flight[user] = running + admitted
        try:
            yield admitted
        finally:
            with self._lock:
                self._in_flight[user] -= admitted

    def reset(self) -> None:
        with self._lock:
            self._windows.clear()

    def _window(self, api: str, limit: Limit, user: str) -> _Window:
        key = (api, limit.name, user if limit.per_user else "")
        return self._windows.setdefault(key, _Window())


def too_many_concurrent() -> ApiError:
    message = "Too many concurrent requests for user."
    return ApiError(429, "rateLimitExceeded", message, "RESOURCE_EXHAUSTED", "usageLimits")


def _exceeded(api: str, limit: Limit, now: float, wait_seconds: float) -> ApiError:
    if api == "microsoft":
        return _microsoft(limit, wait_seconds)
    return _REFUSALS[api](limit, now + wait_seconds)


def _microsoft(limit: Limit, wait_seconds: float) -> ApiError:
    headers = (("retry-after", str(math.ceil(wait_seconds))),)
    message = f"Application is over its {limit.name} limit."
    return ApiError(429, "ApplicationThrottled", message, headers=headers)


def _metric_text(limit: Limit, service: str) -> str:
    metric = limit.name.partition(" per ")[0]
    return (
        f"Quota exceeded for quota metric '{metric}' and limit '{limit.name}' of service"
        f" '{service}' for consumer 'project_number:1234567890'."
    )


def _gmail(limit: Limit, free_at: float) -> ApiError:
    if not limit.per_user:
        text = _metric_text(limit, "gmail.googleapis.com")
        return ApiError(403, "rateLimitExceeded", text, "RESOURCE_EXHAUSTED", "usageLimits")
    when = rfc3339(int(free_at * 1000))
    text = f"User-rate limit exceeded.  Retry after {when}"
    return ApiError(429, "rateLimitExceeded", text, "RESOURCE_EXHAUSTED", "usageLimits")


def _calendar(limit: Limit, _free_at: float) -> ApiError:
    if limit.per_user:
        return ApiError(
            403, "userRateLimitExceeded", "User Rate Limit Exceeded", domain="usageLimits"
        )
    return ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits")


def _tasks(limit: Limit, _free_at: float) -> ApiError:
    text = _metric_text(limit, "tasks.googleapis.com")
    return ApiError(403, "dailyLimitExceeded", text, "RESOURCE_EXHAUSTED", "usageLimits")


def _people(limit: Limit, _free_at: float) -> ApiError:
    text = _metric_text(limit, "people.googleapis.com")
    info = error_info("RATE_LIMIT_EXCEEDED", service="people.googleapis.com")
    return ApiError(429, "rateLimitExceeded", text, "RESOURCE_EXHAUSTED", details=(info,))


_REFUSALS: dict[str, Callable[[Limit, float], ApiError]] = {
    "gmail": _gmail,
    "calendar": _calendar,
    "tasks": _tasks,
    "people": _people,
}
