"""What a seed stands for, and what the verdict makes of what came of it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.fault_plan import Fault
from benchmarks.chaos.faults import Hit
from benchmarks.chaos.ledger import Line
from benchmarks.chaos.main import _seeds
from benchmarks.chaos.outcome import Letter, Outcome
from benchmarks.chaos.pace import FAST, PRODUCTION, Pace
from benchmarks.chaos.plan import COMPLETED, ENDS, Plan, make_plan
from benchmarks.chaos.recoveries import Summary, attempts, summary
from benchmarks.chaos.table import MAIN
from benchmarks.chaos.verdict import judge
from pipeline.cli.exits import WrongUse
from pipeline.jobs.entries import Entry, parse

SEEDS = st.integers(0, 10_000)
PACES = st.sampled_from([FAST, PRODUCTION])


@given(SEEDS, PACES)
def test_the_same_seed_gives_the_same_plan(seed: int, pace: Pace) -> None:
    first, second = (make_plan(seed, 100, pace.seconds, pace) for _ in range(2))
    assert first == second
    assert first.hash == second.hash


def test_another_process_gives_a_plan_the_same_hash() -> None:
    program = (
        "from benchmarks.chaos.pace import FAST; from benchmarks.chaos.plan import make_plan; "
        "print(make_plan(7, 100, 30, FAST).hash)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout.decode().strip() == make_plan(7, 100, 30, FAST).hash


def test_seeds_give_plans_of_their_own() -> None:
    assert len({make_plan(seed, 50, 30, FAST).hash for seed in range(100)}) == 100


@given(SEEDS, st.integers(40, 700))
def test_a_plan_has_every_kind_of_job_and_sends_each(seed: int, jobs: int) -> None:
    plan = make_plan(seed, jobs, 30, FAST)
    assert len({job.key for job in plan.jobs}) == len(plan.jobs) == jobs
    assert {job.behaviour for job in plan.jobs} == set(ENDS)
    batched = {key for batch in plan.batches for key in batch.keys}
    assert batched == {job.key for job in plan.jobs if job.rounds == 1}
    assert {batch.producer for batch in plan.batches} == {0, 1}


@given(SEEDS, PACES)
def test_faults_of_one_target_never_overlap(seed: int, pace: Pace) -> None:
    plan = make_plan(seed, 100, pace.seconds, pace)
    by_target = defaultdict(list)
    for fault in plan.faults:
        by_target[fault.target].append(fault)
    assert set(by_target) == {"workers-1", "workers-2", "redis", "mongodb", "queue"}
    for faults in by_target.values():
        for one, following in itertools.pairwise(faults):
            assert one.at_seconds + one.hold_seconds < following.at_seconds
    for fault in plan.faults:
        if fault.kind == "stall":
            assert fault.hold_seconds > pace.worker_timeout_seconds + 1


@given(SEEDS, PACES)
def test_there_is_always_a_worker_that_does_not_stall(seed: int, pace: Pace) -> None:
    plan = make_plan(seed, 100, 3 * pace.seconds, pace)
    stalls = [fault for fault in plan.faults if fault.kind == "stall"]
    assert stalls
    for one, following in itertools.pairwise(stalls):
        assert one.at_seconds + one.hold_seconds < following.at_seconds


@pytest.mark.parametrize(("text", "seeds"), [("7", [7]), ("1..3", [1, 2, 3]), ("0", [0])])
def test_seeds_are_one_number_or_two(text: str, seeds: list[int]) -> None:
    assert list(_seeds(text)) == seeds


@pytest.mark.parametrize("text", ["", "a", "1..", "3..1", "1..2000", "1-3"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="--seed"):
        _seeds(text)


PLAN = make_plan(3, 60, 30, FAST)


def run_of(job_id: str, number: int, reason: str | None) -> Entry:
    """Return what history says of a run that completed, or failed for `reason`."""
    fields = {"job_id": job_id, "state": "failed" if reason else COMPLETED, "attempts": "1"}
    if reason:
        fields["error"] = json.dumps({"class": "E", "message": "", "reason": reason})
    return parse(f"{job_id}#{number}", {name: text.encode() for name, text in fields.items()}, 0)


def as_stated(plan: Plan) -> Outcome:
    """Return an outcome in which every job ended as the plan states."""
    runs = [
        run_of(job.job_id, number, None if job.end == COMPLETED else job.end)
        for job in plan.jobs
        for number in range(job.rounds)
    ]
    return Outcome(
        runs=runs,
        letters=[Letter(job.job_id, job.end, 1) for job in plan.jobs if job.end != COMPLETED],
        effects={run.message_id: 0 for run in runs if run.state == COMPLETED},
        contradictions=[],
        lines=[],
        hits=[],
        errors=[],
        told={job.job_id: {f"{job.job_id}#0"} for job in plan.jobs if not job.token},
        unsure=set(),
        resent=0,
        seconds=1.0,
    )


def first(behaviour: str) -> str:
    """Return the job id of the first job of a kind."""
    return next(job.job_id for job in PLAN.jobs if job.behaviour == behaviour and job.rounds == 1)


def test_a_run_that_went_as_stated_passes() -> None:
    assert judge(PLAN, as_stated(PLAN)).violations == []


@given(st.data())
def test_every_lost_run_is_found(data: st.DataObject) -> None:
    outcome = as_stated(PLAN)
    lost = data.draw(st.sampled_from(outcome.runs))
    left = [run for run in outcome.runs if run is not lost]
    verdict = judge(PLAN, replace(outcome, runs=left))
    assert any(text.startswith(lost.job_id) for text in verdict.violations)


@given(st.data())
def test_every_run_too_many_is_found(data: st.DataObject) -> None:
    outcome = as_stated(PLAN)
    job = data.draw(st.sampled_from(PLAN.jobs))
    again = run_of(job.job_id, 9, None)
    effects = {**outcome.effects, again.message_id: 0}
    verdict = judge(PLAN, replace(outcome, runs=[*outcome.runs, again], effects=effects))
    assert any("ran to completion" in text for text in verdict.violations)


def without_token() -> str:
    return next(job.job_id for job in PLAN.jobs if not job.token)


def test_a_job_without_token_runs_as_often_as_producers_were_told() -> None:
    outcome, job_id = as_stated(PLAN), without_token()
    again = run_of(job_id, 1, None)
    effects = {**outcome.effects, again.message_id: 0}
    twice = replace(outcome, runs=[*outcome.runs, again], effects=effects)
    assert judge(PLAN, twice).violations == [f"{name_of(job_id)} ran to completion 2 times, not 1"]
    told = {**outcome.told, job_id: {f"{job_id}#0", f"{job_id}#1"}}
    assert judge(PLAN, replace(twice, told=told)).violations == []
    assert judge(PLAN, replace(twice, unsure={job_id})).violations == []


def name_of(job_id: str) -> str:
    job = next(job for job in PLAN.jobs if job.job_id == job_id)
    return f"{job_id} ({job.behaviour} {job.number:g})"


def test_what_has_not_ended_is_found() -> None:
    outcome = as_stated(PLAN)
    fields = {"job_id": b"chaos:00000", "state": b"delayed", "why": b"scheduled"}
    runs = [run for run in outcome.runs if run.job_id != "chaos:00000"]
    verdict = judge(PLAN, replace(outcome, runs=[*runs, parse("m", fields, 0)]))
    assert any("is still delayed (scheduled)" in text for text in verdict.violations)


def test_a_dead_letter_with_another_reason_is_found() -> None:
    outcome = as_stated(PLAN)
    permanent = first("permanent")
    letters = [
        replace(letter, reason="attempts_spent") if letter.job_id == permanent else letter
        for letter in outcome.letters
    ]
    [violation, *_] = judge(PLAN, replace(outcome, letters=letters)).violations
    assert "dead letters: attempts_spent; expected: permanent" in violation


def test_a_dead_letter_that_counts_one_death_twice_is_found() -> None:
    outcome = as_stated(PLAN)
    letters = [replace(outcome.letters[0], times=2), *outcome.letters[1:]]
    assert judge(PLAN, replace(outcome, letters=letters)).violations


def test_a_completion_without_its_effect_is_found() -> None:
    outcome = as_stated(PLAN)
    verdict = judge(PLAN, replace(outcome, effects={}))
    assert any("without its effect" in text for text in verdict.violations)


def test_what_nobody_sent_is_found() -> None:
    outcome = as_stated(PLAN)
    stranger = run_of("chaos:99999", 0, None)
    verdict = judge(PLAN, replace(outcome, runs=[*outcome.runs, stranger]))
    assert "chaos:99999 ran, but nobody sent it" in verdict.violations


KILL = Fault("workers-1", "kill-process", 0)


def line(at: float, what: str, pid: int, delivery: int = 1, message_id: str = "m") -> Line:
    return Line(at, what, pid, message_id, delivery)  # type: ignore[arg-type]


def recoveries(lines: list[Line], *hits: Hit) -> Summary:
    return summary(attempts(lines, hits), hits)


def test_recovery_counts_from_the_kill_to_the_next_start() -> None:
    lines = [line(1, "start", 10), line(8, "start", 11, 2), line(9, "end", 11, 2)]
    found = recoveries(lines, Hit(KILL, 3, pids=(10,)))
    assert (found.count, found.p50_seconds, found.longest_seconds) == (1, 5, 5)


def test_recovery_does_not_count_while_redis_was_away() -> None:
    lines = [line(1, "start", 10), line(63, "start", 11, 2)]
    outage = Hit(Fault("redis", "kill", 0), 20, 50)
    found = recoveries(lines, Hit(KILL, 3, pids=(10,)), outage)
    assert (found.longest_seconds, found.longest_with_outages_seconds) == (30, 60)


def test_what_had_ended_before_the_kill_was_not_cut_off() -> None:
    lines = [line(1, "start", 10), line(2, "end", 10), line(8, "start", 11, 2)]
    assert recoveries(lines, Hit(KILL, 3, pids=(10,))).count == 0


def test_what_a_stalled_worker_finishes_first_was_not_cut_off() -> None:
    lines = [line(1, "start", 10), line(20, "end", 10), line(30, "start", 11, 2)]
    assert recoveries(lines, Hit(KILL, 3, pids=(10,))).count == 0


def test_a_worker_that_kills_itself_cuts_off_its_neighbours() -> None:
    lines = [
        line(1, "start", 10, message_id="neighbour"),
        line(2, "start", 10),
        line(2.5, "kills", 10),
        line(7, "start", 11, 2, "neighbour"),
    ]
    assert recoveries(lines).longest_seconds == 4.5


def killed_bystander(deaths: int) -> list[str]:
    """Return the violations when a job that kills nobody is failed as one that does."""
    outcome, slow = as_stated(PLAN), first("slow")
    runs = [run for run in outcome.runs if run.job_id != slow]
    fields = {"job_id": slow.encode(), "state": b"failed", "deliveries": b"%d" % deaths}
    fields["error"] = b'{"class": "WorkerKilled", "message": "", "reason": "killed_worker"}'
    lines = [line(number, "start", number, number, "m") for number in range(1, deaths + 1)]
    hits = [Hit(KILL, number + 0.5, pids=(number,)) for number in range(1, deaths + 1)]
    letters = [*outcome.letters, Letter(slow, "killed_worker", 1)]
    runs.append(parse("m", fields, 0))
    found = judge(PLAN, replace(outcome, runs=runs, letters=letters, lines=lines, hits=hits))
    assert found.bystanders == (0 if found.violations else 1)
    return found.violations


def test_three_deaths_of_workers_are_a_reason_for_any_job() -> None:
    assert killed_bystander(3) == []


def test_fewer_deaths_are_none() -> None:
    assert killed_bystander(2)


def test_a_slow_recovery_is_found() -> None:
    outcome = as_stated(PLAN)
    runs = [replace(run, queue=MAIN.name) for run in outcome.runs]
    lines = [line(at, "start", pid, pid, runs[0].message_id) for at, pid in ((1, 1), (200, 2))]
    hits = [Hit(KILL, 3, pids=(1,))]
    verdict = judge(PLAN, replace(outcome, runs=runs, lines=lines, hits=hits))
    assert verdict.violations == ["p99 of recovery is 197.0 s, more than 90 s"]
