"""Importing contacts from a CSV file: good rows in, and a report on the others.

Rows are taken a batch at a time in constant memory.  An import can be run again: what it has
made is there then, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

from models import ContactImport
from pipeline.audit import noted
from pipeline.config import settings
from pipeline.errors import HeadraceError
from pipeline.outreach import csv_files
from pipeline.outreach.csv_files import File, Unreadable
from pipeline.outreach.row_values import Entry, entry_of
from pipeline.outreach.seen_rows import SeenRows
from pipeline.outreach.upserts import Outcome, Problem, upsert
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

BATCH = 1000
#: Problems that a report has room for; the others are counted.
MOST_PROBLEMS = 10_000
#: An import that was silent for so long has died.
_SILENT = timedelta(minutes=10)
_DIED = "it was interrupted: import the file again, what is in already stays as it is"

#: Called with how many rows were looked at.
Progress = Callable[[int], None]


def import_csv(
    tenant_id: str,
    lines: Iterable[str],
    *,
    file_name: str,
    by: str,
    mapping: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Row:
    """Import contacts, and return the report: a row of ContactImport.

    `lines` are those of `csv_files.decoded`, or any texts.  `mapping` says for headings what
    they are, see csv_files.opened.  Raises Refused for a file that cannot be read from the
    start; one that cannot from some row on is `failed`, and the report says from where.
    """
    file = csv_files.opened(lines, mapping)
    _end_dead_ones(tenant_id)
    report = _begun(tenant_id, file_name, by)
    with noted(by, "contacts.import", f"import {report['_id']}", tenant=tenant_id) as entry:
        try:
            _import(report, file, progress or (lambda _: None))
            _end(report, "done")
        except Refused as refused:
            _end(report, "failed", f"after {report['rows']:,} rows: {refused}")
        except (Exception, KeyboardInterrupt) as error:
            _end(report, "failed", _reason(error))
            raise
        counts = ("rows", "created", "updated", "unchanged", "rejected")
        entry.details |= {name: report[name] for name in counts}
    return report


def as_it_stands(report: Row, now: datetime) -> Row:
    """Return a report as it is to be shown: one whose import has died says so."""
    silent_since = report.get("updated_at") or report["created_at"]
    if report["status"] == "running" and silent_since < now - _SILENT:
        return report | {"status": "failed", "reason": _DIED}
    return report


def _import(report: Row, file: File, progress: Progress) -> None:
    with SeenRows() as seen:
        for batch in _batches(file.rows):
            problems: list[Problem] = []
            entries = _singled(_read(batch, file, problems), seen, problems)
            done = upsert(report["tenant_id"], report["_id"], entries)
            _keep_seen(seen, entries, done)
            done.problems += problems
            _count(report, len(batch), done)
            progress(report["rows"])


def _batches(
    rows: Iterator[tuple[int, list[str] | Unreadable]],
) -> Iterator[list[tuple[int, list[str] | Unreadable]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _read(
    batch: Iterable[tuple[int, list[str] | Unreadable]], file: File, problems: list[Problem]
) -> Iterator[Entry]:
    """Yield what the rows say that can be read."""
    for number, cells in batch:
        if isinstance(cells, Unreadable):
            problems.append(Problem(number, "row", cells.problem))
            continue
        try:
            yield entry_of(number, cells, file.columns)
        except Refused as refused:
            why = str(refused).removeprefix(f"{refused.field}: ")
            problems.append(Problem(number, refused.field, why))


def _singled(entries: Iterable[Entry], seen: SeenRows, problems: list[Problem]) -> list[Entry]:
    """Return the rows that name nobody whom a row before has named."""
    found = list(entries)
    named = seen.rows_of(_name(*key) for entry in found for key in entry.keys)
    single = []
    for entry in found:
        double = next((key for key in entry.keys if _name(*key) in named), None)
        if double is None:
            single.append(entry)
            named |= {_name(*key): entry.row for key in entry.keys}
        else:
            why = f"row {named[_name(*double)]} has the same {double[0]}"
            problems.append(Problem(entry.row, double[0], why))
    return single


def _keep_seen(seen: SeenRows, entries: Iterable[Entry], done: Outcome) -> None:
    """Keep whom the rows have named that were taken."""
    taken = [entry for entry in entries if entry.row in done.contacts]
    seen.add({_name(*key): entry.row for entry in taken for key in entry.keys})


def _name(field: str, value: str) -> str:
    return f"{field}:{value}"


def _begun(tenant_id: str, file_name: str, by: str) -> Row:
    now = datetime.now(UTC)
    counts = dict.fromkeys(("rows", "created", "updated", "unchanged", "rejected"), 0)
    report: Row = {"_id": uuid4().hex, "tenant_id": tenant_id, "file_name": file_name[-255:]}
    report |= {"status": "running", **counts, "problems": [], "by": by}
    report |= {"created_at": now, "updated_at": now}
    report["expires_at"] = now + timedelta(days=settings().audit_retention_days)
    collection(ContactImport).insert_one(report)
    return report


def _count(report: Row, rows: int, done: Outcome) -> None:
    """Add what became of a batch to the report."""
    done.problems.sort(key=lambda one: one.row)
    room = MOST_PROBLEMS - len(report["problems"])
    fresh = [
        {"row": one.row, "field": one.field, "problem": one.problem} for one in done.problems[:room]
    ]
    report["problems"] += fresh
    report["rows"] += rows
    report["created"] += done.created
    report["updated"] += done.updated
    report["unchanged"] += done.unchanged
    report["rejected"] += len(done.problems)
    report["updated_at"] = datetime.now(UTC)
    counts = ("rows", "created", "updated", "unchanged", "rejected", "updated_at")
    change: Row = {"$set": {name: report[name] for name in counts}}
    if fresh:
        change["$push"] = {"problems": {"$each": fresh}}
    collection(ContactImport).update_one({"_id": report["_id"]}, change)


def _end(report: Row, status: str, reason: str = "") -> None:
    report |= {"status": status, "ended_at": datetime.now(UTC)}
    report |= {"reason": reason} if reason else {}
    fields = {name: report[name] for name in ("status", "reason", "ended_at") if name in report}
    collection(ContactImport).update_one({"_id": report["_id"]}, {"$set": fields})


def _end_dead_ones(tenant_id: str) -> None:
    """Note of imports that were killed that they have failed."""
    now = datetime.now(UTC)
    dead = {"tenant_id": tenant_id, "status": "running", "updated_at": {"$lt": now - _SILENT}}
    failed = {"status": "failed", "reason": _DIED, "ended_at": now}
    collection(ContactImport).update_many(dead, {"$set": failed})


def _reason(error: BaseException) -> str:
    if isinstance(error, HeadraceError):
        return str(error)
    return _DIED if isinstance(error, KeyboardInterrupt) else f"{_DIED} ({type(error).__name__})"
