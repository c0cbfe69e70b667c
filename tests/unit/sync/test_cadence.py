"""How often a state is looked at: as often as it changes, and it says why."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sync import due
from pipeline.sync.cadence import Bounds, Cadence, after_sync, base_seconds, promise_seconds

Setting = Callable[..., None]
MAILS = "google_gmail"
START = datetime(2026, 5, 1, tzinfo=UTC)
BASE, FLOOR, CEILING = 720.0, 300.0, 3600.0
HOUR = timedelta(hours=1)


@dataclass
class Watched:
    """A state that is synced again and again."""

    state: dict[str, Any]
    at: datetime = START

    @property
    def cadence(self) -> Cadence:
        return Cadence.of(self.state)

    def sync(self, *, changed: bool = False, after: timedelta | None = None) -> Cadence:
        """Sync once more, by default when the cadence says; return the cadence from then on."""
        self.at += after or timedelta(seconds=self.cadence.interval_seconds)
        self.state["seq"] += changed
        self.state["cadence"] = after_sync(self.state, self.at).document()
        return self.cadence

    def sync_until(self, end: datetime) -> Cadence:
        """Sync in its cadence until then; nothing changes."""
        while self.at < end:
            self.sync()
        return self.cadence


def new_state(**fields: Any) -> Watched:
    """Return a state after its first listing, which brought 500 records."""
    watched = Watched({"source": MAILS, "seq": 500, **fields})
    watched.sync(after=timedelta())
    return watched


def test_a_new_state_is_looked_at_at_the_base_interval_whatever_its_first_listing_brought() -> None:
    cadence = new_state().cadence
    assert (cadence.interval_seconds, cadence.why) == (BASE, "new")
    assert str(cadence) == "not watched for long yet, so it is looked at every 12 min"


def test_a_few_quiet_looks_change_nothing() -> None:
    watched = new_state()
    assert {watched.sync().interval_seconds for _ in range(8)} == {BASE}


def test_who_is_quiet_for_a_working_day_is_looked_at_as_rarely_as_is_allowed() -> None:
    watched = new_state()
    assert watched.sync_until(START + 7 * HOUR).interval_seconds < CEILING
    cadence = watched.sync_until(START + 10 * HOUR)
    assert (cadence.interval_seconds, cadence.why) == (CEILING, "quiet")
    cadence = watched.sync_until(START + timedelta(days=400))
    assert str(cadence) == (
        "hardly ever changes, so it is looked at every 1 h, as rarely as is allowed"
    )


def test_a_burst_shortens_the_interval_within_a_few_looks() -> None:
    watched = new_state()
    watched.sync_until(START + 20 * HOUR)
    intervals = [watched.sync(changed=True).interval_seconds for _ in range(8)]
    assert intervals == [3600, 3600, 2880, 1440, 1440, BASE, BASE, BASE / 2]


def test_a_change_in_every_look_leads_to_the_floor_and_no_further() -> None:
    watched = new_state()
    for _ in range(200):
        watched.sync(changed=True)
    assert watched.cadence.interval_seconds == FLOOR
    assert "6 times an hour, so it is looked at every 5 min, as often" in str(watched.cadence)


def test_the_interval_follows_a_steady_rate_and_says_so() -> None:
    watched = new_state()
    random.seed(3)
    while watched.at < START + timedelta(days=5):  # one change in 48 minutes
        gap = watched.cadence.interval_seconds
        watched.sync(changed=random.random() < gap / 2880)
    assert 0.5 <= watched.cadence.interval_seconds / 1440 <= 2
    assert watched.cadence.why == "follows"


def test_an_outage_does_not_make_everybody_quiet() -> None:
    watched = new_state()
    watched.sync(changed=True, after=12 * HOUR)
    assert watched.cadence.interval_seconds <= BASE
    unchanged = new_state()
    unchanged.sync(after=12 * HOUR)
    assert unchanged.cadence.interval_seconds == CEILING


def test_all_that_landed_between_two_successes_is_one_change() -> None:
    watched = new_state()
    watched.state["seq"] += 40  # in a run that failed later
    assert watched.sync().changed_at == watched.at
    assert watched.sync().changed_at == watched.at - timedelta(seconds=BASE)


def test_with_live_push_it_is_looked_at_slowly_all_the_same(setting: Setting) -> None:
    setting(PUSH_POLL_SECONDS=5400)
    watched = new_state(live_push_until=START + timedelta(days=3))
    assert (watched.cadence.interval_seconds, watched.cadence.why) == (5400, "pushed")
    assert str(watched.cadence).startswith("its changes are pushed; it is looked at every 1 h 30")
    for _ in range(20):
        watched.sync(changed=True, after=timedelta(seconds=30))
    assert watched.cadence.interval_seconds == 5400
    unpushed = watched.cadence.unpushed(MAILS)
    assert (unpushed.interval_seconds, unpushed.why) == (FLOOR, "busy")


def test_mail_at_microsoft_is_looked_at_as_its_target_asks_whatever_is_pushed() -> None:
    new = {"user_id": "u", "source": "microsoft_mail", "seq": 0}
    watched = Watched(new)
    assert watched.sync_until(START + 24 * HOUR).interval_seconds == BASE
    watched.state["live_push_until"] = watched.at + HOUR
    assert (watched.sync().interval_seconds, watched.cadence.why) == (BASE, "pushed")


def test_once_push_has_ended_the_state_is_polled_as_its_changes_ask() -> None:
    watched = new_state(live_push_until=START + HOUR)
    watched.sync(after=2 * HOUR)
    assert (watched.cadence.interval_seconds, watched.cadence.why) == (BASE, "new")


def test_a_long_target_is_remembered_for_as_long_as_it_takes(setting: Setting) -> None:
    setting(GOOGLE_GMAIL_FRESHNESS_TARGET_SECONDS=86_400)
    watched = new_state()
    watched.sync(changed=True)
    for _ in range(3):
        watched.sync()
    assert watched.cadence.interval_seconds == pytest.approx(86_400 * 0.8)


@pytest.mark.parametrize("target", [60, 300, 900, 5000, 86_400])
def test_the_bounds_give_way_to_the_target(setting: Setting, target: int) -> None:
    setting(GOOGLE_GMAIL_FRESHNESS_TARGET_SECONDS=target)
    bounds = Bounds.of(MAILS)
    assert bounds.base_seconds == base_seconds(MAILS) == pytest.approx(target * 0.8)
    quarter = bounds.base_seconds / 4  # a long target is there to save quota
    assert bounds.shortest_seconds == min(max(FLOOR, quarter), bounds.base_seconds)
    assert bounds.longest_seconds == max(CEILING, bounds.base_seconds)
    assert new_state().cadence.interval_seconds == bounds.base_seconds


def test_a_copy_is_promised_to_be_as_fresh_as_its_cadence_allows() -> None:
    assert promise_seconds(MAILS, FLOOR) == promise_seconds(MAILS, BASE) == 900
    assert promise_seconds(MAILS, CEILING) == 4500


@given(
    looks=st.lists(st.tuples(st.booleans(), st.floats(0, 2e6)), max_size=40),
    target=st.sampled_from([60, 900, 86_400]),
)
def test_whatever_happens_the_interval_stays_within_its_bounds(
    looks: list[tuple[bool, float]], target: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        from pipeline.config import settings

        patch.setenv("GOOGLE_GMAIL_FRESHNESS_TARGET_SECONDS", str(target))
        settings.cache_clear()
        watched, bounds = new_state(), Bounds.of(MAILS)
        for changed, seconds in looks:
            cadence = watched.sync(changed=changed, after=timedelta(seconds=seconds))
            assert bounds.shortest_seconds <= cadence.interval_seconds <= bounds.longest_seconds
            assert cadence.changes_per_hour >= 0
    settings.cache_clear()


def test_a_clock_that_goes_back_is_no_time_at_all() -> None:
    watched = new_state()
    before = watched.sync(changed=True)
    assert watched.sync(after=-2 * HOUR).watched_seconds == before.watched_seconds


def test_a_stored_cadence_is_read_again_whatever_else_lies_there() -> None:
    watched = new_state()
    watched.sync(changed=True)
    state = watched.state | {"cadence": watched.state["cadence"] | {"of_a_later_release": 1}}
    assert Cadence.of(state) == watched.cadence
    assert Cadence.of({"source": MAILS}).why == "new"


@dataclass
class Simulated:
    """What a week of looks came to: how many, and how late each change was seen."""

    calls: int
    late_seconds: list[float]

    @property
    def p95_seconds(self) -> float:
        return sorted(self.late_seconds)[int(0.95 * len(self.late_seconds))]


def a_week(changes_per_day: float, *, adaptive: bool, seed: int, users: int = 12) -> Simulated:
    """Simulate users whose changes come at random moments, looked at when they are due."""
    random.seed(seed)
    result = Simulated(0, [])
    end = START + timedelta(days=7)
    for number in range(users):
        moments: list[datetime] = []
        at = START
        while (at := at + timedelta(days=random.expovariate(changes_per_day))) < end:
            moments.append(at)
        watched, seen = new_state(), 0
        while watched.at < end:
            interval = watched.cadence.interval_seconds if adaptive else BASE
            due_at = due.next_due(f"user-{number}", MAILS, watched.at, interval)
            found = bisect_right(moments, due_at)
            result.late_seconds += [(due_at - m).total_seconds() for m in moments[seen:found]]
            watched.sync(changed=found > seen, after=due_at - watched.at)
            result.calls, seen = result.calls + 1, found
    return result


@pytest.mark.parametrize("seed", [1, 2])
def test_quiet_users_cost_far_fewer_calls_and_busy_ones_are_seen_no_later(seed: int) -> None:
    quiet = [a_week(3, adaptive=adaptive, seed=seed) for adaptive in (False, True)]
    assert quiet[1].calls <= 0.4 * quiet[0].calls
    busy = [a_week(60, adaptive=adaptive, seed=seed) for adaptive in (False, True)]
    assert busy[1].p95_seconds <= busy[0].p95_seconds
