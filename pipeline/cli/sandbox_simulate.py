"""`headrace sandbox simulate`: weeks of people's mail, and whether we find their habits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.exits import FAILED
from pipeline.cli.output import (
    AsJson,
    Cell,
    console,
    note,
    number,
    print_json,
    progress_bar,
    table,
)
from pipeline.cli.sandbox_url import Url, running_sandbox

if TYPE_CHECKING:
    from pipeline.cli.simulating.days import Plan, Simulated
    from pipeline.cli.simulating.evaluation import Score, Verdict
    from pipeline.sandbox.client import SandboxClient

#: Older mail is not copied when a mailbox is first listed, nor are older events kept.
_MOST_DAYS = 85
#: Misses and false suggestions that are printed; all are counted.
_SHOWN = 20


def simulate(
    *,
    days: Annotated[
        int, typer.Option(min=1, max=_MOST_DAYS, help="How many, the last of which ends now.")
    ] = 60,
    seed: Annotated[
        int, typer.Option(help="The same seed makes the same days; a day is lived only once.")
    ] = 1,
    step_days: Annotated[
        int, typer.Option(min=1, max=_MOST_DAYS, help="How many days at a time.")
    ] = 7,
    users: Annotated[
        str | None, typer.Option(help="Only these users, with commas between; all without.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, help="Give up when for so many seconds nothing moves.")
    ] = 180,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Have people live with their Microsoft mailboxes, and see whether we find their habits.

    Mail comes, and they delete, file, archive and read it, week by week of the past. Each time
    the workers sync and observe what happened, so they must run (`headrace up`). Then what is
    suggested is held against the habits that the people really have. Ends with 1 if anything
    else is suggested, or less than nine in ten of them.
    """
    from pipeline.cli.simulating.days import Plan
    from pipeline.cli.simulating.evaluation import Score
    from pipeline.cli.simulating.mailboxes import taking_part
    from pipeline.probes import require

    require("mongodb", "redis")
    named = [name.strip() for name in users.split(",")] if users else None
    with running_sandbox(url) as sandbox:
        until = datetime.now(UTC).replace(microsecond=0)
        plan = Plan(taking_part(sandbox, named), days, seed, step_days, until)
        shown = console().is_terminal and not as_json
        done = _carried_out(sandbox, plan, patience, shown=shown)
    score = Score.of(done.verdicts)
    if as_json:
        print_json(_document(plan, done, score))
    else:
        _report(plan, done, score)
    if not score.is_good:
        raise typer.Exit(FAILED)


def _carried_out(
    sandbox: SandboxClient, plan: Plan, patience_seconds: float, *, shown: bool
) -> Simulated:
    """Simulate, with a bar on standard error if that is to be `shown`."""
    from pipeline.cli.simulating.days import simulate
    from pipeline.cli.simulating.waiting import Workers

    with progress_bar(shown=shown) as bar:
        task = bar.add_task("", total=plan.parts())

        def tell(parts_done: int, next_part: str) -> None:
            bar.update(task, completed=parts_done, description=next_part)

        return simulate(sandbox, plan, Workers(patience_seconds), tell)


def _document(plan: Plan, done: Simulated, score: Score) -> dict[str, Any]:
    return {
        "days": plan.days,
        "seed": plan.seed,
        "users": [
            {
                "user": verdict.user_id,
                "found": [habit.document() for habit in verdict.found],
                "missed": [habit.document() for habit in verdict.missed],
                "invented": [habit.document() for habit in verdict.invented],
            }
            for verdict in done.verdicts
        ],
        "happened": dict(sorted(done.happened.items())),
        "habits": score.habits,
        "found": score.found,
        "invented": score.invented,
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
    }


def _report(plan: Plan, done: Simulated, score: Score) -> None:
    rows: list[list[Cell]] = [
        [v.user_id, len(v.found) + len(v.missed), len(v.found), len(v.missed), len(v.invented)]
        for v in done.verdicts
    ]
    columns = ("user", "habits", "found", "missed", "false")
    console().print(table(f"{plan.days} days, seed {plan.seed}", columns, rows))
    for line in _differences(done.verdicts)[:_SHOWN]:
        console().print(line, markup=False)
    arrived = done.happened.pop("arrived", 0)
    note(f"{number(arrived)} mails came, and people did {number(done.happened.total())} things.")
    console().print(
        f"precision {score.precision:.2f}, recall {score.recall:.2f} "
        f"({number(score.found)} of {number(score.habits)} habits)"
    )


def _differences(verdicts: list[Verdict]) -> list[str]:
    wrong = (("false", "invented"), ("missed", "missed"))
    return [
        f"{verdict.user_id}: {word} {habit}"
        for word, name in wrong
        for verdict in verdicts
        for habit in getattr(verdict, name)
    ]
