"""Who is in a campaign, and where."""

from __future__ import annotations

from dataclasses import dataclass

from models import Enrollment
from models.outreach import ENROLLMENT_STATUSES
from pipeline.errors import Gone
from pipeline.outreach.reading import campaigns, names
from pipeline.outreach.reading.pages import Page, by_id, by_time
from pipeline.stores import Row, collection

_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class EnrollmentRow:
    """An enrollment in a list: `who` and `name` are the contact's, `campaign` its name."""

    enrollment: Row
    who: str
    name: str
    campaign: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.enrollment["_id"])


@dataclass(frozen=True, slots=True)
class Filter:
    """Which enrollments; empty: any."""

    campaign_id: str = ""
    contact_id: str = ""
    status: str = ""
    node_id: str = ""


def listed(
    tenant_id: str,
    limit: int = 50,
    *,
    after: str = "",
    wanted: Filter | None = None,
    reveal: bool = False,
) -> Page[EnrollmentRow]:
    """Return enrollments: of one campaign in the order of their ids, else the newest change first.

    Raises ValueError for a place that is none.
    """
    wanted = wanted or Filter()
    query = _query(tenant_id, wanted)
    if wanted.campaign_id:
        rows, following = by_id(Enrollment, query, limit, after)
    else:
        rows, following = by_time(Enrollment, query, "updated_at", limit, after)
    return Page(_rows(tenant_id, rows, reveal=reveal), following)


def find(tenant_id: str, enrollment_id: str, *, reveal: bool = False) -> EnrollmentRow:
    """Return an enrollment.  Raises Gone."""
    row = collection(Enrollment).find_one({"_id": enrollment_id, "tenant_id": tenant_id})
    if row is None:
        raise Gone("there is no such enrollment")
    return _rows(tenant_id, [row], reveal=reveal)[0]


def _query(tenant_id: str, wanted: Filter) -> Row:
    query: Row = {"tenant_id": tenant_id}
    # All of them by name, for an index that has the status in front of the time.
    query["status"] = wanted.status or {"$in": list(ENROLLMENT_STATUSES)}
    if wanted.campaign_id:
        begins = f"{wanted.campaign_id}:"
        query |= {"campaign_id": wanted.campaign_id}
        query["_id"] = {"$gt": begins, "$lt": begins + _LAST}
    if wanted.contact_id:
        query["contact_id"] = wanted.contact_id
    if wanted.node_id:
        query["node_id"] = wanted.node_id
    return query


def _rows(tenant_id: str, rows: list[Row], *, reveal: bool) -> list[EnrollmentRow]:
    contacts = names.contacts_of(tenant_id, [row["contact_id"] for row in rows])
    called = campaigns.names(tenant_id, [row["campaign_id"] for row in rows])
    return [
        EnrollmentRow(
            row,
            names.label(contacts.get(row["contact_id"]), reveal=reveal),
            names.full_name(contacts.get(row["contact_id"]) or {}, reveal=reveal),
            called.get(row["campaign_id"], ""),
        )
        for row in rows
    ]
