"""The tables of queues, jobs and schedules: every name resolves, or nothing starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.queues import JOBS, actor_options, queue_of
from pipeline.schedules import SCHEDULES, Schedule, trigger

Setting = Callable[..., None]


@pytest.mark.parametrize(
    ("job", "attempts", "backoff_ms"),
    [("sync", 3, 1000), ("dispatch", 3, 1000), ("advance_graph", 5, 1000), ("sweep", 5, 1000)],
)
def test_a_job_runs_as_the_table_says(job: str, attempts: int, backoff_ms: int) -> None:
    options = actor_options(job)
    assert (options["max_retries"], options["min_backoff"]) == (attempts - 1, backoff_ms)


def test_every_job_has_an_actor_of_its_name_on_its_queue(servers: dict[str, str]) -> None:
    import actors
    from pipeline.broker import broker

    assert actors.data_sync.sync.actor_name == "sync"
    assert {name: queue.name for name, queue in JOBS.items()} == {
        name: actor.queue_name for name, actor in broker().actors.items()
    }


def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no job 'synk'"):
        queue_of("synk")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_can_be_read(schedule: Schedule) -> None:
    assert trigger(schedule, settings())


def test_a_cron_that_cannot_be_read_names_its_setting(setting: Setting) -> None:
    setting(CRON_DISPATCH="every minute")
    with pytest.raises(Misconfigured, match="CRON_DISPATCH='every minute'"):
        trigger(SCHEDULES[0], settings())


def test_a_schedule_of_an_unknown_job_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no job"):
        trigger(Schedule("nightly", "nonsense", "cron_dispatch"), settings())
