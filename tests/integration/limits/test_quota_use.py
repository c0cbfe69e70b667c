"""How much of a quota is in use, for whoever looks."""

from __future__ import annotations

import pytest
from ledger_helpers import profile, taken

from pipeline.limits import ledger
from pipeline.limits.profiles import Level, Profile
from pipeline.limits.reading import Use, use
from pipeline.stores import redis_client


@pytest.fixture
def quota(stores: None) -> Profile:
    """A hundred units a minute for the project, fifty for each user."""
    return profile(Level("user", 50, 60), Level("project", 100, 60), one=1, ten=10)


def used(quota: Profile) -> Use:
    [found] = [one for one in use([quota]) if one.level == "project"]
    return found


def test_what_all_users_took_counts_and_looking_takes_nothing(quota: Profile) -> None:
    assert used(quota).used_units == 0
    assert taken(quota, "ada", "ten", 2)
    assert taken(quota, "bob")
    for _ in range(3):
        found = used(quota)
    assert (found.used_units, found.allowed_units, found.window_seconds) == (21, 97, 60)
    assert found.paused_seconds == 0


def test_a_refused_charge_is_not_in_use(quota: Profile) -> None:
    while taken(quota, "ada", "ten"):
        pass
    assert used(quota).used_units == 40


def test_slots_that_have_left_the_window_do_not_count(quota: Profile) -> None:
    assert taken(quota, "ada", "ten")
    slots, _ = ledger.shared_keys(quota, "project")
    [(slot, units)] = redis_client().hgetall(slots).items()
    redis_client().hset(slots, str(int(slot) - 40), units)
    assert used(quota).used_units == 10


def test_a_pause_is_told_and_a_level_without_a_limit_only_then(quota: Profile) -> None:
    assert [one.level for one in use([quota])] == ["project"]
    ledger.learn(quota, "ada", "day", 60)
    day = next(one for one in use([quota]) if one.level == "day")
    assert day.allowed_units is None
    assert 50 < day.paused_seconds <= 60
