"""What a seed of outreach chaos stands for: plans that can be played, clocks that are changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.outreach import zones
from benchmarks.chaos.outreach.plan import make_plan
from pipeline.outreach import plans

BEGIN = datetime(2026, 6, 1, 10, 20, 30, tzinfo=UTC)
#: What each clock shows at the beginning, and when it is quiet for who lives by it, in seconds.
SHOWN = {
    "Noon": ("12:00", None),
    "Dusk": ("02:59", (20, 80)),
    "Spring": ("01:59", (20, 80)),
    "Autumn": ("03:59", (20, 80)),
    "Early": ("03:00", (0, 20)),
}


@given(st.integers(0, 10_000))
def test_a_seed_gives_the_same_run_each_time_and_plans_without_faults(seed: int) -> None:
    run = make_plan(seed, 3, 60, 5)
    assert run == make_plan(seed, 3, 60, 5)
    for campaign in run.campaigns:
        assert plans.check(campaign.plan).errors == []
    assert all(0 <= act.at_seconds < run.seconds for act in run.acts)


@given(st.integers(0, 99))
def test_contacts_share_no_address(seed: int) -> None:
    people = [one for campaign in make_plan(seed, 5, 60, 5).campaigns for one in campaign.contacts]
    assert len({one.email for one in people}) == len({one.phone for one in people}) == len(people)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which this process looks for zones, until the test is over."""
    monkeypatch.setenv("PYTHONTZPATH", "")
    before = zones.zoneinfo.TZPATH
    zones.put_up(tmp_path)
    yield tmp_path
    zones.zoneinfo.reset_tzpath(before)
    ZoneInfo.clear_cache()


def test_clocks_are_changed_when_they_say(folder: Path) -> None:
    names = zones.write(folder, "Test", BEGIN)
    for clock, (shown, quiet) in SHOWN.items():
        zone = ZoneInfo(names[clock])
        local = [(BEGIN + timedelta(seconds=n)).astimezone(zone) for n in range(200)]
        assert local[0].strftime("%H:%M") == shown
        at_night = [
            n
            for n, one in enumerate(local)
            if zones.QUIET_START <= one.strftime("%H:%M") < zones.QUIET_END
        ]
        expected = list(range(*quiet)) if quiet else []
        assert at_night == expected, clock
