"""`headrace chaos`: faults by seed against real workers and stores, and a verdict."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from benchmarks.chaos.pace import FAST, PRODUCTION
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, examples, print_json

_SUMMARY = "Kill, stop and restart things by a plan that a seed decides; check what came of it."
_MOST_SEEDS = 1000

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help=_SUMMARY)


@app.callback(help=_SUMMARY)
def main() -> None:
    """Hold the commands; with a single one, Typer would leave out its name."""


@app.command(
    epilog=examples(
        "headrace chaos jobs --seed 1..20",
        "headrace chaos jobs --seed 7 --fast --keep",
        "headrace chaos jobs --seed 7 --plan",
    )
)
def jobs(
    seed: Annotated[str, typer.Option(help="One seed, or several: 7, 1..20.")] = "1",
    jobs: Annotated[int | None, typer.Option(min=20, help="Job ids per seed.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=5, help="How long faults go on, per seed.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Short timeouts, for a quick look.")] = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Print the plan, do nothing.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep plan, logs and outcome of a seed that fails.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every job id runs to completion as often as stated, or is a dead letter.

    Starts Redis and MongoDB of its own, two masters of Dramatiq workers, and
    two producers that send the same job ids; leaves nothing behind.  Workers
    are killed, restarted, and stopped for longer than their timeout; Redis and
    MongoDB are killed; Redis is frozen; queues, tenants and users are paused.
    """
    from benchmarks.chaos import report
    from benchmarks.chaos.plan import make_plan
    from benchmarks.chaos.seeds import play_all

    pace = FAST if fast else PRODUCTION
    plans = [
        make_plan(number, jobs or pace.jobs, seconds or pace.seconds, pace)
        for number in _seeds(seed)
    ]
    if only_plan:
        if as_json:
            print_json([{"hash": plan.hash, **dataclasses.asdict(plan)} for plan in plans])
        else:
            report.print_plans(plans)
        return
    verdicts = play_all(plans, pace, keep=keep)
    if as_json:
        print_json(report.as_document(verdicts, pace))
    else:
        report.print_verdicts(verdicts, pace)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(FAILED)


def _seeds(text: str) -> range:
    """Return the seeds that `7` or `1..20` names.  Raises WrongUse."""
    first, dots, last = text.partition("..")
    try:
        found = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        raise WrongUse(f"--seed {text}: expected a number, or two as in 1..20") from None
    if not 0 < len(found) <= _MOST_SEEDS:
        raise WrongUse(f"--seed {text}: expected 1 to {_MOST_SEEDS} seeds, the lower one first")
    return found
