"""`headrace outreach contacts import`: files of contacts, and what was wrong in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import (
    AsJson,
    age,
    console,
    examples,
    note,
    number,
    print_json,
    progress_bar,
    table,
)
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Tenant,
    acting,
    opened,
    tell,
)
from pipeline.cli.outreach.contacts import app

if TYPE_CHECKING:
    from pipeline.stores import Row

_COUNTS = ("rows", "created", "updated", "unchanged", "rejected")
#: Problems of a file that a person is shown; --json has all.
_SHOWN = 20


@app.command(
    "import",
    epilog=examples(
        "headrace outreach contacts import people.csv",
        "headrace outreach contacts import people.csv --map 'E-Mail privat=email' --map Notes=",
    ),
)
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8 with headings.")],
    *,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="HEADING=FIELD", help="What a column is; FIELD empty: not."),
    ] = None,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Import contacts from a CSV file: good rows in, the others reported by row.

    Columns are email, phone, first_name, last_name, company, time_zone, external_id; others
    become fields for templates. Safe to run again. Exits with 1 if rows were rejected.
    """
    report = imported(file, _mapping(map_ or []), tenant, by, shown=not as_json)
    _tell_report(report, as_json=as_json)
    if report["status"] != "done" or report["rejected"]:
        raise typer.Exit(FAILED)


def imported(
    file: Path, mapping: dict[str, str], tenant: str, by: str | None, *, shown: bool
) -> Row:
    """Import a file with a progress bar, and return the report.  Raises WrongUse, Refused."""
    from pipeline.outreach.csv_files import decoded
    from pipeline.outreach.importing import import_csv

    who = acting(by)
    try:
        source = file.open("rb")
    except OSError as error:
        raise WrongUse(f"{file} cannot be read ({type(error).__name__})") from None
    with source, progress_bar(shown=shown) as bar:
        task = bar.add_task(file.name, total=None)
        return import_csv(
            tenant,
            decoded(source),
            file_name=file.name,
            by=who,
            mapping=mapping,
            progress=lambda rows: bar.update(task, completed=rows),
        )


def _mapping(given: list[str]) -> dict[str, str]:
    pairs = [one.rpartition("=") for one in given]
    if not all(sign for _, sign, _ in pairs):
        raise WrongUse("--map: expected HEADING=FIELD, such as 'E-Mail privat=email'")
    return {heading: field for heading, _, field in pairs}


@app.command(epilog=examples("headrace outreach contacts imports"))
def imports(
    *,
    tenant: Tenant = DEFAULT,
    limit: Limit = 50,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Files that were imported, the newest first."""
    from pipeline.outreach.reading import contacts as reading

    opened(tenant, "imports", None, reveal=False)
    page = reading.imports(tenant, limit, after=after)
    found = [_report(row) for row in page.rows]
    now = datetime.now(UTC)
    rows = [
        (o["id"], o["file"], o["status"], *(o[n] for n in _COUNTS), age(o["created_at"], now))
        for o in found
    ]
    columns = ("id", "file", "is", *_COUNTS, "when")
    tell("imports", found, columns, rows, as_json=as_json, following=page.next)


@app.command("import-report", epilog=examples("headrace outreach contacts import-report 0f3c…"))
def import_report(
    import_id: Annotated[str, typer.Argument(metavar="IMPORT", help="The id of an import.")],
    *,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """What became of a file, with what was wrong in which row."""
    from pipeline.outreach.reading import contacts as reading

    opened(tenant, "imports", None, reveal=False)
    _tell_report(reading.one_import(tenant, import_id), as_json=as_json)


def _report(row: Row) -> dict[str, Any]:
    return {
        "id": row["_id"],
        "file": row.get("file_name"),
        "status": row["status"],
        "reason": row.get("reason"),
        **{name: row[name] for name in _COUNTS},
        "by": row["by"],
        "created_at": row["created_at"],
        "ended_at": row.get("ended_at"),
    }


def _tell_report(row: Row, *, as_json: bool) -> None:
    document = _report(row) | {"problems": row["problems"]}
    if as_json:
        print_json(document)
        return
    shown = row["problems"][:_SHOWN]
    if shown:
        rows = [(one["row"], one["field"], one["problem"]) for one in shown]
        console().print(table(None, ("row", "field", "problem"), rows))
    if row["rejected"] > len(shown):
        note(f"… and {number(row['rejected'] - len(shown))} more rows; --json lists up to 10,000.")
    said = ", ".join(f"{number(row[name])} {name}" for name in _COUNTS[1:])
    note(f"Import {row['_id']}: {number(row['rows'])} rows: {said}.")
    if row.get("reason"):
        note(f"It {row['status']}: {row['reason']}")
