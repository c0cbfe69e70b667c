"""What a chaos run prints: plans, and the table of verdicts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.chaos.pace import RECOVERY_TARGET_SECONDS, Pace
from benchmarks.chaos.plan import Plan
from benchmarks.chaos.verdict import Verdict
from benchmarks.main import machine
from pipeline.cli.output import Cell, console, table

_COLUMNS = (
    "seed",
    "plan",
    "jobs",
    "faults",
    "repeats",
    "of these after the effect",
    "dead letters",
    "bystanders",
    "recoveries",
    "p50 s",
    "p99 s",
    "max s",
    "with outages",
    "took s",
    "verdict",
)
#: More of one seed's violations than this are only counted.
_MOST_VIOLATIONS = 20


def print_plans(plans: Sequence[Plan]) -> None:
    """Print what each seed stands for."""
    out = console()
    for plan in plans:
        out.print(f"seed {plan.seed}, plan {plan.hash}", style="bold")
        out.print(f"worker processes of the two masters: {plan.processes[0]}, {plan.processes[1]}")
        kinds = Counter(job.behaviour for job in plan.jobs)
        out.print("jobs: " + ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)))
        repeated = sum(job.rounds > 1 for job in plan.jobs)
        out.print(f"of these {repeated} several times, one after another has ended")
        out.print(f"batches of the two producers: {len(plan.batches)}")
        for fault in plan.faults:
            out.print(f"  {fault}")


def print_verdicts(verdicts: Sequence[Verdict], pace: Pace) -> None:
    """Print a row for each seed, and below what was violated and how to see it again."""
    out = console()
    title = f"headrace chaos jobs, {_timeouts(pace)} ({machine()})"
    out.print(table(title, _COLUMNS, map(_row, verdicts)))
    out.print(
        "Recovery: from the kill or stop of a worker to the next start of a job that it ran, "
        "not counting while Redis was away, which is in the longest with outages.\n"
        f"Target: p99 at most {RECOVERY_TARGET_SECONDS:g} s."
    )
    for verdict in verdicts:
        if verdict.passed:
            continue
        out.print(f"\nseed {verdict.seed} failed:", style="bold red")
        for violation in verdict.violations[:_MOST_VIOLATIONS]:
            out.print(f"  {violation}", markup=False)
        more = len(verdict.violations) - _MOST_VIOLATIONS
        if more > 0:
            out.print(f"  and {more} more")
        out.print(f"  again: {verdict.command}", markup=False)


def as_document(verdicts: Sequence[Verdict], pace: Pace) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "machine": machine(),
        "pace": pace.name,
        "worker_timeout_seconds": pace.worker_timeout_seconds,
        "recovery_target_seconds": RECOVERY_TARGET_SECONDS,
        "passed": all(verdict.passed for verdict in verdicts),
        "seeds": [
            {"passed": verdict.passed, **dataclasses.asdict(verdict)} for verdict in verdicts
        ],
    }


def _timeouts(pace: Pace) -> str:
    return f"{pace.name} timeouts: a worker counts as dead after {pace.worker_timeout_seconds:g} s"


def _row(verdict: Verdict) -> list[Cell]:
    recoveries = verdict.recoveries
    letters = verdict.dead_letters
    return [
        verdict.seed,
        verdict.plan_hash,
        verdict.jobs,
        verdict.faults,
        verdict.repeats,
        verdict.repeated_effects,
        ", ".join(f"{letters[reason]} {reason}" for reason in sorted(letters)),
        verdict.bystanders,
        recoveries.count,
        _seconds(recoveries.p50_seconds),
        _seconds(recoveries.p99_seconds),
        _seconds(recoveries.longest_seconds),
        _seconds(recoveries.longest_with_outages_seconds),
        _seconds(verdict.seconds),
        "passed" if verdict.passed else f"{len(verdict.violations)} violations",
    ]


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"
