"""`headrace chaos`: faults by seed against real workers and stores, and a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from benchmarks.chaos.findings import Findings, as_document
from benchmarks.chaos.pace import FAST, PRODUCTION
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, examples, print_json

_SUMMARY = "Kill, stop and restart things by a plan that a seed decides; check what came of it."
_MOST_SEEDS = 1000

FindingsT = TypeVar("FindingsT", bound=Findings)

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help=_SUMMARY)


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


@app.command(
    epilog=examples(
        "headrace chaos mailbox --seed 1..5",
        "headrace chaos mailbox --seed 7 --mailboxes 2 --mails 20 --seconds 10 --races 20",
    )
)
def mailbox(
    seed: Annotated[str, typer.Option(help="One seed, or several: 7, 1..20.")] = "1",
    mailboxes: Annotated[int, typer.Option(min=1, max=100, help="Mailboxes per seed.")] = 4,
    mails: Annotated[int, typer.Option(min=1, help="New mails per mailbox.")] = 60,
    seconds: Annotated[float, typer.Option(min=5, help="How long all of it goes on.")] = 60,
    races: Annotated[int, typer.Option(min=0, help="Races of rescue against execute.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Every rule runs once per mail, and what is kept is as it is at the provider.

    Starts all of it on this machine with stores of its own. Mail arrives and is read, moved and
    deleted by its owner and by rules, while notifications come twice, out of order or not at all,
    the provider fails, and workers are killed. Then each staged mail is rescued and executed at
    the same time: exactly one may win.
    """
    from benchmarks.chaos.mailbox import run
    from benchmarks.chaos.mailbox.plan import make_plan
    from pipeline.cli.output import note

    plans = [make_plan(number, mailboxes, mails, seconds) for number in _seeds(seed)]
    verdicts = run.play_all(plans, races, note)
    _tell(verdicts, run.print_verdicts, as_json=as_json)


@app.command(
    epilog=examples(
        "headrace chaos outreach --seed 1..20",
        "headrace chaos outreach --seed 7 --contacts 10 --seconds 100 --kills 5",
    )
)
def outreach(
    seed: Annotated[str, typer.Option(help="One seed, or several: 7, 1..20.")] = "1",
    contacts: Annotated[int, typer.Option(min=1, help="Contacts in each of 4 campaigns.")] = 20,
    seconds: Annotated[float, typer.Option(min=10, help="How long all of it goes on.")] = 90,
    kills: Annotated[int, typer.Option(min=0, help="How many workers die.")] = 10,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the logs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Everybody gets each message once, and nobody one that they must not get.

    Starts all of it on this machine with stores of its own. Contacts open, click, reply, bounce,
    complain and unsubscribe; webhooks come twice, late and out of order; providers fail, also
    after they have accepted a message; clocks are put forward and back around quiet hours;
    campaigns are paused, contacts stopped and suppressed; workers are killed between every two
    side effects. What may have been sent and nobody knows is listed with how that stands.
    """
    from benchmarks.chaos.outreach import run
    from benchmarks.chaos.outreach.plan import make_plan
    from pipeline.cli.output import note

    plans = [make_plan(number, contacts, seconds, kills) for number in _seeds(seed)]
    verdicts = run.play_all(plans, note, keep=keep)
    _tell(verdicts, run.print_verdicts, as_json=as_json)


@app.command(
    epilog=examples(
        "headrace chaos platform --seed 1..20",
        "headrace chaos platform --seed 7 --acts 20 --seconds 20 --kills 5",
    )
)
def platform(
    seed: Annotated[str, typer.Option(help="One seed, or several: 7, 1..20.")] = "1",
    acts: Annotated[int, typer.Option(min=1, help="Things of each kind that happen.")] = 60,
    seconds: Annotated[float, typer.Option(min=10, help="How long all of it goes on.")] = 60,
    kills: Annotated[int, typer.Option(min=0, help="How many workers die.")] = 10,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the logs.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is found is what the provider has, AI answers once, no mail comes twice, and no
    tenant sees another's.

    Starts all of it on this machine with stores of its own. Items change while providers fail,
    AI is asked of mails, threads and texts and users are mailed, each twice at once, a search
    index is rebuilt, and workers are killed between every two side effects. A mail that may
    have been sent when its worker died is left to a person.
    """
    from benchmarks.chaos.platform import run
    from benchmarks.chaos.platform.plan import make_plan
    from pipeline.cli.output import note

    plans = [make_plan(number, acts, seconds, kills) for number in _seeds(seed)]
    verdicts = run.play_all(plans, note, keep=keep)
    _tell(verdicts, run.print_verdicts, as_json=as_json)


def _tell(
    verdicts: list[FindingsT], print_verdicts: Callable[[list[FindingsT]], None], *, as_json: bool
) -> None:
    """Print what was found; ends with 1 if anything did not hold."""
    if as_json:
        print_json(as_document(verdicts))
    else:
        print_verdicts(verdicts)
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
