"""The tables of queues, jobs and schedules: every name resolves, or nothing starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.jobs.names import actor_options, check_names, check_table, queues_with_jobs
from pipeline.queues import DATA_SYNC, GRAPH, JOBS, QUEUES, Job
from pipeline.schedules import SCHEDULES, Schedule, check_schedules, schedule_named, trigger

Setting = Callable[..., None]


def sync(user_id: str, source: str) -> None: ...
def advance_graph(user_id: str) -> None: ...
def nothing() -> None: ...


#: Functions that take what the messages of all jobs carry.
ACTORS: dict[str, Callable[..., Any]] = {
    "dispatch": nothing,
    "sync": sync,
    "sweep": nothing,
    "advance_graph": advance_graph,
}


_TABLE = dict(JOBS)


@pytest.fixture
def few_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave in the table only the jobs of ACTORS."""
    for name in reversed(list(JOBS)):  # put back in reverse order
        monkeypatch.delitem(JOBS, name)
    for name in ACTORS:
        monkeypatch.setitem(JOBS, name, _TABLE[name])


@pytest.mark.parametrize("job", list(JOBS))
def test_an_actor_runs_as_the_table_says(job: str) -> None:
    queue = JOBS[job].queue
    assert actor_options(job) == {
        "actor_name": job,
        "queue_name": queue.name,
        "priority": queue.priority,
        "time_limit": queue.time_limit_ms,
        "throws": BaseException,
    }


def test_every_job_has_an_actor_of_its_name_that_takes_its_arguments(
    servers: dict[str, str],
) -> None:
    import actors
    from pipeline.broker import broker

    assert actors.data_sync.sync.actor_name == "sync"
    check_names({name: actor.fn for name, actor in broker().actors.items()})


def test_names_that_fit_together_are_accepted(few_jobs: None) -> None:
    check_names(ACTORS)
    check_names(ACTORS, {"graph", "email"})


@pytest.mark.parametrize(
    ("actors", "queues", "problem"),
    [
        (ACTORS | {"synk": sync}, None, "no job 'synk'; did you mean 'sync'"),
        (ACTORS | {"sync": advance_graph}, None, "takes .user_id., but its messages carry"),
        (ACTORS | {"sync": nothing}, None, r"messages carry \(user_id, source\)"),
        ({"sync": sync}, None, "no actor runs advance_graph, dispatch, sweep"),
        ({"sync": sync}, {"data-sync"}, "no actor runs dispatch;"),
        (ACTORS, {"data-sink"}, "no queue 'data-sink'; did you mean 'data-sync'"),
        (ACTORS, {"email"}, "no jobs on email"),
    ],
)
def test_names_that_do_not_fit_are_refused_with_a_suggestion(
    few_jobs: None, actors: dict[str, Callable[..., Any]], queues: set[str] | None, problem: str
) -> None:
    with pytest.raises(Misconfigured, match=problem):
        check_names(actors, queues)


def test_a_worker_needs_actors_only_for_the_queues_that_it_serves() -> None:
    check_names({"advance_graph": advance_graph, "sweep": nothing}, {"graph"})


def test_a_job_on_a_queue_that_is_not_the_tables_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_table()
    last = next(reversed(QUEUES))  # put back, the table is in the order in which it was
    monkeypatch.setitem(JOBS, "idle", Job("idle", QUEUES[last]))
    monkeypatch.delitem(QUEUES, last)
    with pytest.raises(Misconfigured, match=f"no queue '{last}'"):
        check_table()


def test_queues_with_jobs_are_those_of_the_jobs(
    few_jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert queues_with_jobs() == [DATA_SYNC, GRAPH]
    monkeypatch.setitem(JOBS, "welcome", Job("welcome", QUEUES["email"]))
    assert queues_with_jobs() == [DATA_SYNC, GRAPH, QUEUES["email"]]


def test_every_schedule_resolves() -> None:
    check_schedules(settings())


@pytest.mark.parametrize("cron", ["every minute", "* * * *", "61 * * * *", "* * * * * * *"])
def test_a_cron_that_cannot_be_read_names_its_setting(setting: Setting, cron: str) -> None:
    setting(CRON_DISPATCH=cron)
    with pytest.raises(Misconfigured) as caught:
        check_schedules(settings())
    assert f"CRON_DISPATCH={cron!r}" in str(caught.value)
    assert "expected five cron fields" in str(caught.value)


def test_a_cron_of_six_fields_begins_with_seconds(setting: Setting) -> None:
    setting(CRON_DISPATCH="*/20 5 * * * *")
    now = datetime(2026, 5, 1, 12, 5, 1, tzinfo=UTC)
    fire = trigger(SCHEDULES[0], settings()).get_next_fire_time(None, now)
    assert fire == datetime(2026, 5, 1, 12, 5, 20, tzinfo=UTC)


def test_a_schedule_of_an_unknown_job_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no job 'dispach'; did you mean 'dispatch'"):
        trigger(Schedule("nightly", "dispach", "cron_dispatch"), settings())


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no schedule 'nightly'; the table has dispatch"):
        schedule_named("nightly")
