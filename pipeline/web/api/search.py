"""Search: records of a tenant, or of one user of it, by their words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from pipeline.projections import search
from pipeline.projections.search.query import MOST_CHARACTERS, MOST_HITS, MOST_OFFSET
from pipeline.sources import SOURCES
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import PRINTABLE, cursor, stores
from pipeline.web.api.problems import documented, invalid
from pipeline.web.api.users import tenant_of

router = APIRouter(prefix="/search", tags=["search"], dependencies=[stores("mongodb")])

Finds = Annotated[Caller, allowed("search:read")]
_Source = Annotated[str, Field(json_schema_extra={"enum": [*SOURCES]})]
_Kind = Annotated[str, Field(json_schema_extra={"enum": [*search.KINDS]})]


class SegmentView(BaseModel):
    """A part of a text."""

    text: str
    hit: bool = Field(description="Whether it was looked for: what is to be highlighted.")


class HitView(BaseModel):
    """A record that was found."""

    id: str = Field(description="Of the record, in hexadecimal.")
    user_id: str
    source: str
    kind: str = Field(description=f"{', '.join(search.KINDS)}.")
    stream: str = Field(description="Where it is at the source: `events/CALENDAR` or so.")
    item_id: str = Field(description="The provider's id of it.")
    thread: str = Field(description="The provider's id of a mail's thread; else empty.")
    title: list[SegmentView]
    snippet: list[SegmentView] = Field(description="The part of its text that fits best.")
    people: list[str] = Field(description="Names and addresses of who has to do with it.")
    at: datetime | None = Field(description="When it was, or is to be.")
    score: float = Field(description="Higher fits better, within one search.")


class FoundRecords(BaseModel):
    """A page of what was found, the best first."""

    total: int = Field(description="So many in all; counted up to 10,000.")
    hits: list[HitView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


@router.get("", responses=documented(404))
def search_records(
    caller: Finds,
    q: Annotated[
        str,
        Query(
            description='Words that must all be there, "phrases", and -words that must not.',
            min_length=1,
            max_length=MOST_CHARACTERS,
            pattern=PRINTABLE,
        ),
    ],
    tenant_id: Annotated[
        str | None,
        Query(
            description="Whose records; a token of one tenant, or `user_id`, says it, too.",
            min_length=1,
            max_length=200,
            pattern=PRINTABLE,
        ),
    ] = None,
    user_id: Annotated[
        str | None, Query(description="Only of this user.", max_length=200, pattern=PRINTABLE)
    ] = None,
    source: Annotated[list[_Source] | None, Query(description="Only of these sources.")] = None,
    kind: Annotated[list[_Kind] | None, Query(description="Only of these kinds.")] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="Only what was, or is to be, from then on.")
    ] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only what is before.")] = None,
    cursor: Annotated[str | None, cursor(r"^[0-9]{1,5}$")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_HITS, description="At most so many hits.")] = 20,
) -> FoundRecords:
    """Find records that have all words of `q`, whatever their case and accents.

    What has landed can be found within seconds, and no longer once it is deleted.
    """
    offset = int(cursor or 0)
    if offset > MOST_OFFSET - limit:
        raise invalid("cursor", "is too far down", "narrow the search: nobody reads so many")
    found = search.find(
        tenant_of(caller, tenant_id, user_id),
        q,
        user_id=user_id,
        sources=source or (),
        kinds=kind or (),
        since=_in_utc("since", since),
        until=_in_utc("until", until),
        limit=limit,
        offset=offset,
    )
    after = search.next_offset(found.total, offset, limit)
    return FoundRecords(
        total=found.total,
        hits=[HitView.model_validate(hit, from_attributes=True) for hit in found.hits],
        next=None if after is None else str(after),
    )


def _in_utc(field: str, moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:
        raise invalid(field, "is beyond all calendars", "give a time of this age") from None
