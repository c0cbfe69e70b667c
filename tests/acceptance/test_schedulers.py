"""Several `python scheduler.py` at once, stopped, killed and started again: one job per tick."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from processes import SCHEDULER, WORKER, kill_group, running
from waiting import wait_until

from pipeline.jobs import layout
from pipeline.jobs.reading import page
from pipeline.stores import redis_client
from pipeline.ticks import last_ticks

pytestmark = pytest.mark.timeout(240)

#: A tick every second, so that the test need not wait for minutes.
HASTY = {"CRON_DISPATCH": "* * * * * *", "CRON_SWEEP": "* * * * * *"}
STOPPED_SECONDS = 4
MARK = layout.once("tick:dispatch:")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where the processes write; shown when the test fails."""
    path = tmp_path / "log"
    yield path
    sys.stdout.write(path.read_text()[-5000:])


def ticks() -> set[datetime]:
    """Return the moments for which a tick was sent, but those of the schedulers' own starts."""
    marks = [mark.decode() for mark in redis_client().scan_iter(f"{MARK}*", count=1000)]
    moments = [datetime.fromisoformat(mark.removeprefix(MARK)) for mark in marks]
    return {moment for moment in moments if not moment.microsecond}


def jobs_by_tick() -> Counter[str]:
    """Return how many jobs ran for each tick."""
    jobs = page("data-sync", "completed", limit=1000).jobs
    tokens = [redis_client().hget(layout.job(job.message_id), "once") for job in jobs]
    return Counter(token.decode() for token in tokens if token)


def ticked_since(moment: datetime) -> bool:
    return any(tick > moment for tick in ticks())


@pytest.mark.long
def test_two_schedulers_of_which_one_is_stopped_and_killed_send_each_tick_once(
    stores: None, log: Path
) -> None:
    with (
        running(WORKER, log, **HASTY),
        running(SCHEDULER, log, **HASTY),
        running(SCHEDULER, log, **HASTY) as other,
    ):
        wait_until(lambda: log.read_text().count("scheduler runs") == 2, "both run")
        os.killpg(other.pid, signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        time.sleep(STOPPED_SECONDS)
        awake_at = datetime.now(UTC)
        os.killpg(other.pid, signal.SIGCONT)
        wait_until(lambda: ticked_since(awake_at + timedelta(seconds=1)), "both have ticked")
        kill_group(other)
        with running(SCHEDULER, log, **HASTY):
            wait_until(lambda: log.read_text().count("scheduler runs") == 3, "it runs again")
            now = datetime.now(UTC)
            wait_until(lambda: ticked_since(now + timedelta(seconds=1)), "both have ticked")
    assert max(jobs_by_tick().values()) == 1
    meanwhile = [tick for tick in ticks() if stopped_at < tick < awake_at]
    assert len(meanwhile) >= STOPPED_SECONDS - 1
    assert last_ticks()["dispatch"].slot >= awake_at


def test_a_scheduler_outlives_a_redis_that_takes_nothing(stores: None, log: Path) -> None:
    with running(SCHEDULER, log, **HASTY) as scheduler:
        wait_until(lambda: "scheduler runs" in log.read_text(), "it runs")
        redis_client().config_set("maxmemory", 1)
        try:
            wait_until(lambda: "tick not sent" in log.read_text(), "Redis refuses a tick")
        finally:
            redis_client().config_set("maxmemory", 0)
        now = datetime.now(UTC)
        wait_until(lambda: ticked_since(now), "it ticks again")
        assert scheduler.is_running()
