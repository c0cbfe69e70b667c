"""`headrace schedules`: what is sent when, what was sent last, and sending it now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.names import require_schedule
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json
from pipeline.cli.output import table as table_of

if TYPE_CHECKING:
    from pipeline.timetable import Planned

app = typer.Typer(rich_markup_mode="rich")

#: Of the next ones, a person sees so many.
_SHOWN_RUNS = 3


@app.callback(
    invoke_without_command=True,
    epilog=examples("headrace schedules", "headrace schedules run dispatch"),
)
def schedules(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Jobs that are sent by the clock; without a command, list them."""
    if context.invoked_subcommand is None:
        list_schedules(as_json=as_json)


@app.command("list", epilog=examples("headrace schedules list", "headrace schedules list --json"))
def list_schedules(*, as_json: AsJson = False) -> None:
    """List what is sent when, the next times, and the last tick with the scheduler that sent it.

    A last tick that is older than it should be means that no scheduler runs.
    """
    from pipeline.probes import require
    from pipeline.timetable import timetable

    require("redis")
    now = datetime.now(UTC)
    rows = [_described(planned) for planned in timetable(now)]
    if as_json:
        print_json({"schedules": rows})
    else:
        columns = ("schedule", "job", "cron", "in words", "next (UTC)", "last sent", "by")
        console().print(table_of(None, columns, [_row(row, now) for row in rows]))


@app.command(
    epilog=examples("headrace schedules run dispatch", "headrace schedules run sweep --json")
)
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `headrace schedules` lists it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Send the job of a schedule now, beside its ticks; workers must be running to do it."""
    from pipeline import dispatch
    from pipeline.probes import require
    from pipeline.schedules import schedule_named

    require_schedule(name)
    require("redis")
    sent = dispatch.send(schedule_named(name).job)
    if as_json:
        print_json({"name": name, **asdict(sent)})
    elif sent.created:
        note(f"Sent; see `headrace jobs show {sent.message_id}`.")
    else:
        note(f"It waits or runs already; see `headrace jobs show {sent.message_id}`.")


def _described(planned: Planned) -> dict[str, Any]:
    return {
        "name": planned.schedule.name,
        "job": planned.schedule.job,
        "cron": planned.cron,
        "setting": planned.setting,
        "in_words": planned.in_words,
        "zone": planned.zone,
        "next": planned.next,
        "last": asdict(planned.last) if planned.last else None,
        "pause": asdict(planned.pause) if planned.pause else None,
    }


def _row(row: dict[str, Any], now: datetime) -> list[Cell]:
    last = row["last"]
    return [
        row["name"],
        row["job"],
        row["cron"],
        ", ".join(filter(None, (row["in_words"], "" if row["zone"] == "UTC" else row["zone"]))),
        "paused" if row["pause"] else _times(row["next"][:_SHOWN_RUNS], now),
        age(last["sent_at"], now) if last else "never",
        last["by"] if last else "",
    ]


def _times(moments: list[datetime], now: datetime) -> str:
    return ", ".join(_clock(moment, now) for moment in moments)


def _clock(moment: datetime, now: datetime) -> str:
    """Return a time of day in UTC, with the day unless that is today."""
    moment = moment.astimezone(UTC)
    form = "%H:%M:%S" if moment.second else "%H:%M"
    return moment.strftime(form if moment.date() == now.date() else f"%m-%d {form}")
