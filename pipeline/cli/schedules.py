"""`headrace schedules`: what is sent when, what was sent last, and sending it now."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json
from pipeline.cli.output import table as table_of

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

    from pipeline.schedules import Schedule

app = typer.Typer(rich_markup_mode="rich")

_NEXT_RUNS = 5
#: Of these, a person sees so many.
_SHOWN_RUNS = 3
#: How APScheduler counts the days of a week.
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


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
    from pipeline.cli.probes import require
    from pipeline.schedules import SCHEDULES

    require("redis")
    now = datetime.now(UTC)
    rows = [_described(schedule, now) for schedule in SCHEDULES]
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
    from pipeline.cli.probes import require
    from pipeline.schedules import SCHEDULES

    by_name = {schedule.name: schedule for schedule in SCHEDULES}
    if name not in by_name:
        hint = suggestion(name, by_name) or f"; expected one of {', '.join(by_name)}"
        raise WrongUse(f"there is no schedule {name!r}{hint}")
    require("redis")
    sent = dispatch.send(by_name[name].job)
    if as_json:
        print_json({"name": name, **asdict(sent)})
    elif sent.created:
        note(f"Sent; see `headrace jobs show {sent.message_id}`.")
    else:
        note(f"It waits or runs already; see `headrace jobs show {sent.message_id}`.")


def _described(schedule: Schedule, now: datetime) -> dict[str, Any]:
    from pipeline.config import env_name, settings
    from pipeline.schedules import trigger
    from pipeline.ticks import last_ticks

    when = trigger(schedule, settings())
    last = last_ticks().get(schedule.name)
    return {
        "name": schedule.name,
        "job": schedule.job,
        "cron": getattr(settings(), schedule.setting),
        "setting": env_name(schedule.setting),
        "in_words": in_words(when),
        "zone": str(when.timezone),
        "next": _next(when, now),
        "last": asdict(last) if last else None,
    }


def _next(when: CronTrigger, now: datetime) -> list[datetime]:
    """Return the next moments; fewer if there are no more."""
    found: list[datetime] = []
    previous = None
    while len(found) < _NEXT_RUNS:
        previous = when.get_next_fire_time(previous, previous or now)
        if previous is None:
            break
        found.append(previous)
    return found


def in_words(when: CronTrigger) -> str:
    """Return when a trigger fires, in plain words; empty if there are none for it."""
    from cron_descriptor import FormatException, Options, get_description

    fields = {field.name: str(field) for field in when.fields}
    fields["day_of_week"] = _with_names(fields["day_of_week"])
    order = ("second", "minute", "hour", "day", "month", "day_of_week")
    cron = " ".join(fields[name] for name in order)
    options = Options()
    options.locale_code = "en_US"
    options.use_24hour_time_format = True
    try:
        text = str(get_description(cron.removeprefix("0 "), options))
    except FormatException:
        return ""
    return text[:1].lower() + text[1:]


def _with_names(weekdays: str) -> str:
    """Return the field with names of days: their numbers mean other days to other programs."""
    return re.sub(r"(?<![\d/])[0-6](?!\d)", lambda found: _WEEKDAYS[int(found[0])], weekdays)


def _row(row: dict[str, Any], now: datetime) -> list[Cell]:
    last = row["last"]
    return [
        row["name"],
        row["job"],
        row["cron"],
        ", ".join(filter(None, (row["in_words"], "" if row["zone"] == "UTC" else row["zone"]))),
        ", ".join(_clock(moment, now) for moment in row["next"][:_SHOWN_RUNS]),
        age(last["sent_at"], now) if last else "never",
        last["by"] if last else "",
    ]


def _clock(moment: datetime, now: datetime) -> str:
    """Return a time of day in UTC, with the day unless that is today."""
    moment = moment.astimezone(UTC)
    form = "%H:%M:%S" if moment.second else "%H:%M"
    return moment.strftime(form if moment.date() == now.date() else f"%m-%d {form}")
