"""Whether every job came to the end that the plan states, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.pace import RECOVERY_TARGET_SECONDS
from benchmarks.chaos.plan import COMPLETED, KILLED, Plan, PlannedJob
from benchmarks.chaos.recoveries import Attempt, Summary, attempts, summary
from benchmarks.chaos.table import MAIN, RUN_ALONE
from pipeline.jobs.entries import Entry
from pipeline.jobs.recovery import MOST_DEATHS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed has shown."""

    seed: int
    plan_hash: str
    jobs: int
    faults: int
    repeats: int
    """Attempts that were begun and did not count: their worker died, stalled or stopped."""
    repeated_effects: int
    """Of these, how many met their own effect, which was then not done again."""
    resent: int
    dead_letters: dict[str, int]
    """By reason."""
    bystanders: int
    """Dead letters of jobs that killed nobody, but were there each time a worker was killed."""
    recoveries: Summary
    seconds: float
    violations: list[str]
    command: str
    """What repeats it."""

    @property
    def passed(self) -> bool:
        """Return whether nothing was violated."""
        return not self.violations


def judge(plan: Plan, outcome: Outcome) -> Verdict:
    """Compare what came of a run with its plan."""
    begun = attempts(outcome.lines, outcome.hits)
    starts = Counter(attempt.message_id for attempt in begun)
    # Of the other queue, a job also waits until its mailbox is free.
    at_once = {run.message_id for run in outcome.runs if run.queue == MAIN.name}
    recoveries = summary((one for one in begun if one.message_id in at_once), outcome.hits)
    bystanders = _bystanders(plan, outcome, begun)
    return Verdict(
        seed=plan.seed,
        plan_hash=plan.hash,
        jobs=len(plan.jobs),
        faults=len(outcome.hits),
        repeats=sum(
            max(0, starts[run.message_id] - run.attempts - run.deferrals) for run in outcome.runs
        ),
        repeated_effects=sum(outcome.effects.values()),
        resent=outcome.resent,
        dead_letters=dict(Counter(letter.reason for letter in outcome.letters)),
        bystanders=len(bystanders),
        recoveries=recoveries,
        seconds=outcome.seconds,
        violations=list(_violations(plan, outcome, begun, bystanders, recoveries)),
        command=plan.command,
    )


def _bystanders(plan: Plan, outcome: Outcome, begun: list[Attempt]) -> set[str]:
    """Return the job ids in the dead letters under which as many workers died as that takes."""
    starts = Counter(one.message_id for one in begun)
    lost = Counter(one.message_id for one in begun if one.lost)
    deaths: Counter[str] = Counter()
    for run in outcome.runs:
        never_begun = run.deliveries - starts[run.message_id]
        deaths[run.job_id] += lost[run.message_id] + never_begun
    killers = {job.job_id for job in plan.jobs if job.end == KILLED}
    killed = {letter.job_id for letter in outcome.letters if letter.reason == KILLED}
    return {job_id for job_id in killed - killers if deaths[job_id] >= MOST_DEATHS}


def _violations(
    plan: Plan,
    outcome: Outcome,
    begun: list[Attempt],
    bystanders: set[str],
    recoveries: Summary,
) -> Iterator[str]:
    yield from outcome.errors
    yield from _jobs(plan, outcome, bystanders)
    yield from _alone(plan, outcome, begun)
    yield from _effects(outcome)
    yield from (f"Redis contradicts itself: {text}" for text in outcome.contradictions)
    slowest = recoveries.p99_seconds
    if slowest is not None and slowest > RECOVERY_TARGET_SECONDS:
        yield f"p99 of recovery is {slowest:.1f} s, more than {RECOVERY_TARGET_SECONDS:g} s"


def _jobs(plan: Plan, outcome: Outcome, bystanders: set[str]) -> Iterator[str]:
    runs: dict[str, list[Entry]] = {}
    for run in outcome.runs:
        runs.setdefault(run.job_id, []).append(run)
    letters: dict[str, list[str]] = {}
    for letter in outcome.letters:
        letters.setdefault(letter.job_id, []).extend([letter.reason] * letter.times)
    planned = {job.job_id: job for job in plan.jobs}
    for job_id, job in planned.items():
        its_runs, its_letters = runs.get(job_id, []), letters.get(job_id, [])
        times = job.rounds if job.token else _times(job_id, its_runs, outcome)
        yield from _job(job, times, its_runs, its_letters, job_id in bystanders)
    for job_id in (runs.keys() | letters.keys()) - planned.keys():
        yield f"{job_id} ran, but nobody sent it"


def _times(job_id: str, runs: list[Entry], outcome: Outcome) -> int:
    """Return how often a job shall run that is sent without a token: once per run that was told."""
    told = set(outcome.told.get(job_id, ()))
    if job_id in outcome.unsure:
        told |= {run.message_id for run in runs}
    return len(told)


def _job(
    job: PlannedJob, times: int, runs: list[Entry], letters: list[str], stood_by: bool
) -> Iterator[str]:
    """Yield what is wrong with one job, which shall run to its end so many times.

    `stood_by`: one of its runs may be failed as one that kills workers.
    """
    name = f"{job.job_id} ({job.behaviour} {job.number:g})"
    if not runs:
        yield f"{name} is lost: nothing is known of it"
        return
    for run in runs:
        if run.alive:
            yield f"{name} is still {run.state}" + (f" ({run.why})" if run.why else "")
    expected = [KILLED] if stood_by else [] if job.end == COMPLETED else [job.end]
    completions = times - len(expected)
    found = sum(run.state == COMPLETED for run in runs)
    if found != completions:
        yield f"{name} ran to completion {found} times, not {completions}"
    if letters != expected:
        yield f"{name} has dead letters: {_listed(letters)}; expected: {_listed(expected)}"
    failures = [run.failure.reason for run in runs if run.state == "failed" and run.failure]
    if sorted(failures) != sorted(letters):
        yield f"{name} failed in its history: {_listed(failures)}; dead letters: {_listed(letters)}"


def _listed(reasons: list[str]) -> str:
    return ", ".join(reasons) or "none"


def _alone(plan: Plan, outcome: Outcome, begun: list[Attempt]) -> Iterator[str]:
    """Yield where two jobs of one mailbox ran at the same time.

    Attempts that a fault cut off do not count: who was stopped may go on beside the next.
    """
    mailboxes = {job.job_id: job.owner for job in plan.jobs if job.job == RUN_ALONE.name}
    job_ids = {run.message_id: run.job_id for run in outcome.runs}
    busy: dict[str, tuple[float, str]] = {}
    for attempt in sorted(begun, key=lambda one: one.began_at):
        job_id = job_ids.get(attempt.message_id, "")
        mailbox = mailboxes.get(job_id)
        if mailbox is None or attempt.ended_at is None or attempt.cut_at is not None:
            continue
        until, other = busy.get(mailbox, (0.0, ""))
        if attempt.began_at < until:
            yield f"{job_id} began while {other} ran for the same mailbox"
        busy[mailbox] = max((until, other), (attempt.ended_at, job_id))


def _effects(outcome: Outcome) -> Iterator[str]:
    for run in outcome.runs:
        if run.state == "completed" and run.message_id not in outcome.effects:
            yield f"{run.job_id} ({run.message_id}) completed without its effect"
