"""Files of contacts: importing one, and what became of its rows."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Annotated

from fastapi import Body, Query, Request, Response
from pydantic import BaseModel, Field

from pipeline.outreach import csv_files, importing
from pipeline.outreach.reading import contacts as reading
from pipeline.stores import Row
from pipeline.web.api.bodies import CONTACTS
from pipeline.web.api.common import PRINTABLE, Limit, acting
from pipeline.web.api.outreach.common import (
    ACTS,
    NEXT,
    READS,
    Cursor,
    ImportId,
    OfTenant,
    Writes,
    at_leisure,
    location,
    placed,
    routed,
)
from pipeline.web.api.problems import invalid

router = routed("outreach contacts", "/contact-imports")

#: Problems that an answer has at the most; `GET` has all, in pages.
_PROBLEMS = 200
_Mapped = Annotated[str, Field(max_length=600, pattern=PRINTABLE)]
_SAME = ("status", "rows", "created", "updated", "unchanged", "rejected", "by", "created_at")


class ImportView(BaseModel):
    """A file of contacts that was read."""

    id: str = Field(description="Its id.")
    file_name: str | None = Field(description="What the file was called.")
    status: str = Field(description="running, done, or failed: its rows until then are in.")
    reason: str | None = Field(description="Why it failed, and behind which row.")
    rows: int = Field(description="Rows that were read, without the headings.")
    created: int = Field(description="New contacts.")
    updated: int = Field(description="Contacts that were there and have changed.")
    unchanged: int = Field(description="Contacts that were there as they are.")
    rejected: int = Field(description="Rows that were not taken.")
    by: str = Field(description="Who has imported it.")
    created_at: datetime = Field(description="When it began.")
    ended_at: datetime | None = Field(description="When it ended.")


class RowProblemView(BaseModel):
    """Why a row was not taken."""

    row: int = Field(description="Its number as in a spreadsheet: the headings are row 1.")
    field: str = Field(description="Which field is wrong; `row` for the row itself.")
    problem: str = Field(description="What is wrong, and what would do.")


class ImportReport(ImportView):
    """What became of a file, with what was wrong in which row."""

    problems: list[RowProblemView] = Field(
        description="Rows that were not taken, in their order; the first 10,000 are kept."
    )
    next: str | None = Field(description="`cursor` of the next problems, null at the end.")


class ImportList(BaseModel):
    """A page of imports, the newest first."""

    imports: list[ImportView] = Field(description="The imports.")
    next: str | None = Field(description=NEXT)


@router.get("", dependencies=READS)
def list_contact_imports(tenant: OfTenant, cursor: Cursor = None, limit: Limit = 50) -> ImportList:
    """List the files that were imported, the newest first."""
    with placed():
        page = reading.imports(tenant, limit, after=cursor or "")
    return ImportList(imports=[_view(row) for row in page.rows], next=page.next or None)


@router.post("", status_code=201, responses=ACTS)
def import_contacts(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    response: Response,
    content: Annotated[
        bytes,
        Body(
            media_type=CONTACTS.media_type,
            description="CSV in UTF-8 with headings, 10 MiB at the most.  Columns are email, "
            "phone, first_name, last_name, company, time_zone and external_id; others become "
            "fields for templates.",
        ),
    ],
    file_name: Annotated[
        str, Query(description="What the file is called.", max_length=255, pattern=PRINTABLE)
    ] = "",
    column: Annotated[
        list[_Mapped] | None,
        Query(
            description="What a column is, as `HEADING=FIELD`; empty behind the sign: left out.",
            max_length=200,
        ),
    ] = None,
) -> ImportReport:
    """Import contacts from a CSV file: good rows in, the others reported by row.

    Safe to repeat: what is there already is changed as the file says, or stays as it is.
    """
    mapping = _mapping(column or [])

    def act() -> Row:
        with acting(request, caller, "contacts.import", f"tenant {tenant}") as entry:
            lines = csv_files.decoded(io.BytesIO(content))
            by = caller.actor
            report = importing.import_csv(
                tenant, lines, file_name=file_name, by=by, mapping=mapping
            )
            entry.details["import"] = report["_id"]
            return report

    report = at_leisure(request, act)
    response.headers["Location"] = location(request, tenant, "contact-imports", report["_id"])
    return _report(report, 0, _PROBLEMS)


@router.get("/{contact_import:id}", dependencies=READS)
def get_contact_import(
    tenant: OfTenant,
    contact_import: ImportId,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before.", pattern=r"^[0-9]{1,9}$")
    ] = None,
    limit: Limit = _PROBLEMS,
) -> ImportReport:
    """Tell what became of a file, with a page of what was wrong in which row."""
    return _report(reading.one_import(tenant, contact_import), int(cursor or 0), limit)


def _mapping(given: list[str]) -> dict[str, str]:
    """Return what columns are by their headings.  Raises Refused."""
    pairs = [one.rpartition("=") for one in given]
    if not all(sign for _, sign, _ in pairs):
        raise invalid("column", "has no =", "give HEADING=FIELD, such as `E-Mail privat=email`")
    return {heading: field for heading, _, field in pairs}


def _report(row: Row, after: int, limit: int) -> ImportReport:
    """Return a report with the problems behind so many."""
    found = row["problems"][after : after + limit]
    following = after + limit if len(row["problems"]) > after + limit else None
    return ImportReport(
        **_view(row).model_dump(),
        problems=[RowProblemView(**one) for one in found],
        next=str(following) if following else None,
    )


def _view(row: Row) -> ImportView:
    return ImportView(
        **{name: row[name] for name in _SAME},
        id=row["_id"],
        file_name=row.get("file_name") or None,
        reason=row.get("reason"),
        ended_at=row.get("ended_at"),
    )
