"""How dead letters are shown: tables for people, documents for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from rich.console import RenderableType
from rich.text import Text

from pipeline.cli.output import Cell, age, progress_bar, table
from pipeline.dead_letters import Group, Progress, Report
from pipeline.jobs.entries import Entry, parse
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.stores import Row

#: From this width on there is room for details.
_WIDE = 150
#: What a document of a letter has, as it is in MongoDB.
_FIELDS = (
    *("status", "reason", "fingerprint", "queue", "job", "tenant_id", "error", "times"),
    *("attempts", "deaths", "first_seen_at", "last_seen_at", "release", "worker"),
    *("correlation_id", "replays", "replay_message_id", "acted_by", "acted_at"),
    *("dismiss_reason", "expires_at"),
)


def why(letter: Row) -> str:
    """Return the error of a letter in one line."""
    error = letter["error"]
    return ": ".join(filter(None, (error["class"], error["message"])))


def group_table(groups: Sequence[Group], now: datetime, width: int) -> RenderableType:
    """Return groups, a row each; on a wide terminal with the details of each."""
    columns = ("group", "letters", "users", "last", "why")
    more = ("job", "reason", "deaths", "tenants", "first", "releases")
    rows = [_group_row(group, now) for group in groups]
    return _fitting(columns, more, rows, width)


def _group_row(group: Group, now: datetime) -> list[Cell]:
    sample = group.sample
    last, first = age(group.last_seen_at, now), age(group.first_seen_at, now)
    reason = Text(why(sample), style="yellow")
    row: list[Cell] = [group.fingerprint, group.letters, group.users, last, reason]
    more: list[Cell] = [sample["job"], sample["reason"], group.times, group.tenants, first]
    return [*row, *more, ", ".join(group.releases)]


def _fitting(
    columns: Sequence[str], more: Sequence[str], rows: list[list[Cell]], width: int
) -> RenderableType:
    """Return a table with the columns that there is room for; only the reason is folded."""
    names = [*columns, *more] if width >= _WIDE else columns
    made = table(None, names, [row[: len(names)] for row in rows])
    for column in made.columns:
        column.no_wrap = column.header != "why"
    return made


def group_document(group: Group) -> Row:
    """Return a group for `--json`."""
    return asdict(group) | {"sample": letter_document(group.sample)}


def letter_table(letters: Iterable[Row], now: datetime, width: int) -> RenderableType:
    """Return letters, a row each; on a wide terminal with the details of each."""
    columns = ("letter", "job id", "last", "why")
    more = ("status", "deaths", "first", "acted by")
    rows = [_letter_row(letter, now) for letter in letters]
    return _fitting(columns, more, rows, width)


def _letter_row(letter: Row, now: datetime) -> list[Cell]:
    last, first = age(letter["last_seen_at"], now), age(letter["first_seen_at"], now)
    reason = Text(why(letter), style="yellow")
    row: list[Cell] = [letter["_id"], masked(letter["job_id"]), last, reason]
    return [*row, letter["status"], letter["times"], first, letter.get("acted_by")]


def letter_document(letter: Row) -> Row:
    """Return a letter for `--json`, its arguments redacted."""
    return {
        "id": letter["_id"],
        "message_id": letter["message_id"],
        "job_id": masked(letter["job_id"]),
        "user_id": masked(letter["user_id"]),
        "arguments": _arguments(letter),
        **{name: letter.get(name) for name in _FIELDS},
        "traceback": letter["traceback"],
        "log": _log(letter),
    }


def _log(letter: Row) -> list[Row]:
    return [line | {"text": masked(line["text"])} for line in letter["log"]]


def _arguments(letter: Row) -> dict[str, Any] | None:
    entry = _entry(letter)
    return None if entry.arguments is None else arguments_of(entry)


def _entry(letter: Row) -> Entry:
    fields = {"job": letter["job"].encode(), "args": letter["args"]}
    return parse(letter["message_id"], fields, None)


def letter_parts(letter: Row, now: datetime) -> Iterator[RenderableType]:
    """Return everything about one letter, part by part."""
    facts = table(None, ("", ""), [row for row in _facts(letter, now) if row[1]])
    facts.show_header = False
    facts.columns[0].style = "dim"
    yield facts
    if letter["traceback"]:
        yield Text("\nWhere it failed", style="bold")
        yield Text(letter["traceback"])
    if letter["log"]:
        yield Text("\nIts last log lines", style="bold")
        for line in _log(letter):
            at = f"{line['at']:%H:%M:%S}" if line["at"] else ""
            yield Text(" ".join(filter(None, (at, line["level"], line["text"]))))


def _facts(letter: Row, now: datetime) -> list[list[Cell]]:
    arguments = _arguments(letter)
    told = "(cannot be read)" if arguments is None else _pairs(arguments)
    died = letter["deaths"] and f"{letter['deaths']} workers died under it"
    return [
        ["letter", letter["_id"]],
        ["job id", masked(letter["job_id"])],
        ["status", _status(letter, now)],
        ["why", Text(why(letter), style="yellow")],
        ["reason", letter["reason"]],
        ["group", letter["fingerprint"]],
        ["job", f"{letter['job'] or '(none)'} on {letter['queue']}"],
        ["arguments", told],
        ["tenant", letter["tenant_id"]],
        ["died", _deaths(letter, now)],
        ["attempts", ", ".join(filter(None, (str(letter["attempts"]), died)))],
        ["newest run", letter["message_id"]],
        ["release", letter["release"]],
        ["worker", letter["worker"]],
        ["correlation id", letter["correlation_id"]],
    ]


def _deaths(letter: Row, now: datetime) -> str:
    last = age(letter["last_seen_at"], now)
    if letter["times"] == 1:
        return last
    return f"{letter['times']} times, first {age(letter['first_seen_at'], now)}, last {last}"


def _status(letter: Row, now: datetime) -> str:
    if not letter.get("acted_by"):
        return str(letter["status"])
    acted = f"{letter['acted_by']}, {age(letter['acted_at'], now)}"
    if letter["status"] == "open":
        return f"open (last replayed by {acted})"
    reason = f": {letter['dismiss_reason']}" if letter["status"] == "dismissed" else ""
    return f"{letter['status']} by {acted}{reason}"


def _pairs(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in arguments.items())


def report_parts(reports: Sequence[Report]) -> Iterator[RenderableType]:
    """Return what became of a replay, part by part."""
    columns = ("group", "stage", "letters", "completed", "failed again", "no outcome", "taken")
    rows: list[list[Cell]] = [
        [
            *(report.fingerprint, stage.name, stage.letters, stage.completed),
            *(stage.failed, stage.unanswered, stage.taken),
        ]
        for report in reports
        for stage in report.stages
    ]
    if rows:
        yield table(None, columns, rows)
    for report in reports:
        yield from map(Text, _remarks(report))


def _remarks(report: Report) -> Iterator[str]:
    name = f"Group {report.fingerprint}"
    if report.stopped:
        left = f" {report.left} letters are left as they were." if report.left else ""
        yield f"{name} stopped: {report.stopped}.{left}"
    for letter_id, error in report.failures.items():
        yield f"  {letter_id} failed again: {error}"
    reasons = sorted(set(report.refused.values()))
    if reasons:
        yield (
            f"{name}: {len(report.refused)} of its letters cannot be replayed, only dismissed: "
            f"{'; '.join(reasons[:3])}"
        )


def report_document(report: Report) -> Row:
    """Return what became of replaying a group, for `--json`."""
    return asdict(report) | {"completed": report.completed, "failed": report.failed}


class Bar:
    """Shows how far each stage of a replay has got."""

    def __init__(self, *, shown: bool) -> None:
        self._bar = progress_bar(shown=shown)
        self._task = self._bar.add_task("Looking", total=None)

    def watch(self, progress: Progress) -> None:
        """Show a step forward."""
        failed = f", {progress.failed} failed again" if progress.failed else ""
        self._bar.update(
            self._task,
            description=f"{progress.fingerprint}: {progress.stage}{failed}",
            completed=progress.ended,
            total=progress.letters,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
