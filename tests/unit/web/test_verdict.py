"""Is the data fresh, and if not, why?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.jobs.controls import Pause
from pipeline.jobs.looking import Seen
from pipeline.jobs.reading import Depth
from pipeline.jobs.workers import Worker
from pipeline.lateness import Share
from pipeline.queues import DATA_SYNC
from pipeline.schedules import SCHEDULES
from pipeline.ticks import Tick
from pipeline.timetable import Planned
from pipeline.web.admin.verdict import verdict

NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)
WORKER = Worker("w", 1.0, threads=8, queues=(DATA_SYNC.name,))


def share(fresh: int, **late: int) -> Share:
    return Share("google_gmail", 900.0, fresh + sum(late.values()), fresh, late)


def queues(*workers: Worker) -> list[Seen]:
    return [Seen(DATA_SYNC, Depth(0, 0, 0, 0, 0.0), [], list(workers), True)]


def plan(ago: timedelta | None = timedelta(seconds=30)) -> list[Planned]:
    last = Tick(NOW - ago, NOW - ago, "1", "host:1") if ago is not None else None
    return [Planned(SCHEDULES[0], "* * * * *", "CRON", "", "UTC", [], last, None, None)]


def pause(scope: str) -> Pause:
    return Pause(scope, None, "why", "ada", NOW)


def test_all_is_well() -> None:
    found = verdict([share(10)], queues(WORKER), [], plan(), NOW)
    assert (found.kind, found.sentence, found.reasons) == (
        "ok",
        "Yes: all 10 copies are within target.",
        [],
    )


def test_few_that_are_late_for_their_own_reasons_are_no_alarm() -> None:
    found = verdict([share(995, error=4, needs_reauth=1)], queues(WORKER), [], plan(), NOW)
    assert found.kind == "ok"
    assert found.sentence == "99.5% of the copies are within target; 5 of 1,000 are late."
    assert found.reasons == [
        "4 failed, and are tried again by themselves.",
        "1 waits for the user to connect again.",
    ]


def test_many_that_are_late_are_one() -> None:
    assert verdict([share(95, idle=5)], queues(WORKER), [], plan(), NOW).kind == "warn"
    found = verdict([share(50, idle=30, queued=20)], queues(WORKER), [], plan(), NOW)
    assert (found.kind, found.reasons) == ("bad", ["50 wait for their turn."])


def test_what_stands_still_comes_before_those_who_wait_for_it() -> None:
    found = verdict([share(995, idle=5)], queues(), [], plan(timedelta(minutes=9)), NOW)
    assert found.kind == "warn"
    assert found.reasons == [
        "No scheduler runs: a tick is 8 min late (python scheduler.py).",
        "No worker serves data-sync (dramatiq actors).",
        "5 wait for their turn.",
    ]


def test_a_scheduler_that_never_ran_is_told() -> None:
    found = verdict([share(1)], queues(WORKER), [], plan(None), NOW)
    assert found.sentence == "Yes: the only copy is within target, but not for long."
    assert found.reasons == ["No scheduler has run yet (python scheduler.py)."]


def test_many_pauses_are_counted_and_the_first_are_named() -> None:
    held = [pause(f"user:u{number}") for number in range(5)]
    found = verdict([share(1)], queues(WORKER), held, plan(), NOW)
    assert found.reasons[0] == "user u0: paused by ada until somebody resumes it, why."
    assert found.reasons[-1] == "2 more users, tenants or sources are paused."


def test_a_store_that_is_down_is_the_answer() -> None:
    assert "MongoDB does not answer" in verdict(None, None, [], [], NOW).sentence
    found = verdict([share(1)], None, [], [], NOW)
    assert found.reasons == ["No job can run: Redis does not answer."]
