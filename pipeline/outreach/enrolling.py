"""Putting contacts into a campaign, any number of them in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from pymongo import UpdateOne
from pymongo.client_session import ClientSession

from models import Campaign, Contact, Enrollment
from pipeline.audit import noted
from pipeline.outreach.campaign_rows import find
from pipeline.outreach.promoting import nudge_settling
from pipeline.outreach.transactions import transaction
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

#: Contacts of one transaction.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Enrolled:
    """How many contacts were added, were there already, or are none of the tenant's."""

    added: int = 0
    already: int = 0
    refused: int = 0

    def __add__(self, other: Enrolled) -> Enrolled:
        """Return the sum of both."""
        return Enrolled(
            self.added + other.added, self.already + other.already, self.refused + other.refused
        )


def enroll(tenant_id: str, campaign_id: str, contact_ids: Iterable[str], *, by: str) -> Enrolled:
    """Put contacts of a tenant into its campaign; those of an active one are begun with.

    A contact is in a campaign once, whatever became of it.  Safe to run twice.
    Raises Gone if there is no such campaign, Refused if it is stopped.
    """
    done = Enrolled()
    with noted(by, "campaign.enroll", f"campaign {campaign_id}") as entry:
        campaign = _open_campaign(tenant_id, campaign_id)
        left = iter(contact_ids)
        while chunk := set(islice(left, AT_ONCE)):
            done += _enroll_some(tenant_id, campaign_id, chunk)
        entry.details |= {"added": done.added, "already": done.already, "refused": done.refused}
    if campaign["status"] == "active" and done.added:
        nudge_settling([campaign_id])
    return done


def enroll_all(
    tenant_id: str, campaign_id: str, import_id: str | None = None, *, by: str
) -> Enrolled:
    """Put all contacts of a tenant into its campaign, or those of one import.

    Raises as `enroll` does.
    """
    return enroll(tenant_id, campaign_id, _contact_ids(tenant_id, import_id), by=by)


def _contact_ids(tenant_id: str, import_id: str | None) -> Iterator[str]:
    wanted: Row = {"tenant_id": tenant_id} | ({"import_id": import_id} if import_id else {})
    for row in collection(Contact).find(wanted, {"_id": 1}):
        yield str(row["_id"])


def _enroll_some(tenant_id: str, campaign_id: str, contact_ids: set[str]) -> Enrolled:
    def work(session: ClientSession) -> Enrolled:
        now = datetime.now(UTC)
        campaign = _open_campaign(tenant_id, campaign_id, session)
        theirs = {"_id": {"$in": list(contact_ids)}, "tenant_id": tenant_id, "forgotten_at": None}
        found = collection(Contact).find(theirs, {"_id": 1}, session=session)
        rows = [_row(campaign, str(row["_id"]), now) for row in found]
        added = _add(session, rows)
        # Written also where nothing is due, so that a stop, a start or a deletion at the same
        # time is either seen here or sees these contacts.
        due = {"settle_due_at": now} if campaign["status"] == "active" and added else {}
        mine, fresh = {"_id": campaign_id}, {"$set": {"updated_at": now} | due}
        collection(Campaign).update_one(mine, fresh, session=session)
        return Enrolled(added, len(rows) - added, len(contact_ids) - len(rows))

    return transaction(work)


def _add(session: ClientSession, rows: Iterable[Row]) -> int:
    writes = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True) for row in rows]
    if not writes:
        return 0
    return collection(Enrollment).bulk_write(writes, ordered=False, session=session).upserted_count


def _row(campaign: Row, contact_id: str, now: datetime) -> Row:
    return {
        "_id": f"{campaign['_id']}:{contact_id}",
        "tenant_id": campaign["tenant_id"],
        "campaign_id": campaign["_id"],
        "contact_id": contact_id,
        "plan_version": campaign["plan_version"],
        "status": "pending",
        "state_version": 0,
        "looks": 0,
        "created_at": now,
        "updated_at": now,
    }


def _open_campaign(tenant_id: str, campaign_id: str, session: ClientSession | None = None) -> Row:
    campaign = find(tenant_id, campaign_id, session)
    if campaign["status"] == "stopped":
        raise Refused("status", "the campaign is stopped: make a new one")
    return campaign
