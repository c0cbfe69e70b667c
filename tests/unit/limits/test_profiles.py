"""The quota profiles, and what may be taken of a limit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from googleapiclient.discovery_cache import get_static_doc
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits.profiles import (
    COUNTED_SLOTS,
    GOOGLE_CALENDAR,
    GOOGLE_GMAIL,
    GOOGLE_PEOPLE,
    GOOGLE_TASKS,
    Level,
    Profile,
    profile_of,
)

GOOGLE = {
    "calendar": GOOGLE_CALENDAR,
    "gmail": GOOGLE_GMAIL,
    "people": GOOGLE_PEOPLE,
    "tasks": GOOGLE_TASKS,
}


def methods_of(resource: dict[str, Any], path: str) -> Iterator[str]:
    for name in resource.get("methods", {}):
        yield f"{path}.{name}"
    for name, inner in resource.get("resources", {}).items():
        yield from methods_of(inner, f"{path}.{name}")


@pytest.mark.parametrize("api", GOOGLE)
def test_an_api_has_one_profile(api: str) -> None:
    assert profile_of(f"{api}.anything.list") is GOOGLE[api]


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(ValueError, match="no quota profile for drive"):
        profile_of("drive.files.list")


def test_every_method_with_a_price_exists() -> None:
    known = set(methods_of(json.loads(get_static_doc("gmail", "v1")), "gmail"))
    assert set(GOOGLE_GMAIL.units) <= known


def test_a_method_without_a_price_is_refused_where_prices_differ() -> None:
    assert GOOGLE_GMAIL.units_of("gmail.users.messages.get") == 20
    with pytest.raises(ValueError, match=r"google-gmail \(google-2026-05\) does not know"):
        GOOGLE_GMAIL.units_of("gmail.users.settings.getImap")
    assert GOOGLE_CALENDAR.units_of("calendar.events.list") == 1


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        ("gmail.users.messages.get", 50),
        ("gmail.users.getProfile", 50),
        ("calendar.events.get", 50),
        ("people.people.connections.list", 1),
        ("tasks.tasks.list", 1),
    ],
)
def test_a_batch_is_as_large_as_the_provider_advises(method: str, calls: int) -> None:
    assert profile_of(method).batch_of(method) == calls


def test_a_batch_holds_no_more_than_may_be_taken_at_once(setting: Callable[..., None]) -> None:
    setting(QUOTA_USE_FRACTION=0.1)
    assert GOOGLE_GMAIL.batch_of("gmail.users.messages.get") == 30
    assert GOOGLE_GMAIL.batch_of("gmail.users.messages.send") == 6


def test_a_call_that_is_dearer_than_all_that_is_allowed_is_still_a_batch_of_one() -> None:
    profile = Profile("dear", "1", (Level("user", 100, 60),), "here", {"m": 91}, batch_calls=50)
    assert profile.batch_of("m") == 1


@pytest.mark.parametrize("profile", GOOGLE.values(), ids=GOOGLE)
def test_every_call_fits_into_what_may_be_taken_at_once(profile: Profile) -> None:
    for level in profile.levels:
        assert level.units_at_once >= max(profile.units.values(), default=1)


def test_a_minute_may_be_taken_at_once_and_a_day_only_in_even_shares(
    setting: Callable[..., None],
) -> None:
    setting(QUOTA_USE_FRACTION=0.5)
    assert Level("user", 6000, 60).units_at_once == 3000
    assert Level("day", 6400, 86_400).units_at_once == 100


@given(window=st.floats(0.01, 1e5))
def test_the_slots_that_count_cover_the_window_and_late_arrivals(window: float) -> None:
    slot_seconds = Level("user", 1, window).slot_microseconds / 1e6
    # The oldest one may hold units from its very end, the present one has only begun.
    covered = (COUNTED_SLOTS - 1) * slot_seconds
    assert covered >= window * (1 + 1 / 30) * (1 - 1e-12)
    assert covered <= window * (1 + 1 / 30) + COUNTED_SLOTS * 1e-6


def test_calls_may_reach_a_provider_that_counts_minutes_two_seconds_late() -> None:
    assert (COUNTED_SLOTS - 1) * Level("user", 1, 60).slot_microseconds == 62_000_000
