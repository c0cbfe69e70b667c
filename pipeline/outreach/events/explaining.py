"""Why events led nowhere, in words for whoever looks at what happened."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.client_session import ClientSession

from models.outreach import ENROLLMENT_OVER, Enrollment, OutreachEvent
from pipeline.outreach.events.told import Event
from pipeline.stores import Row, collection


def explain(session: ClientSession, events: Sequence[Event]) -> None:
    """Note on new events that led nowhere, and never will, why that is so."""
    if not events:
        return
    ids = sorted({event.message["enrollment_id"] for event in events})
    fields = {"status": 1, "message_id": 1}
    found = collection(Enrollment).find({"_id": {"$in": ids}}, fields, session=session)
    enrollments = {row["_id"]: row for row in found}
    writes = []
    for event in events:
        why = _why(event, enrollments.get(event.message["enrollment_id"]))
        if why:
            key: Row = {"_id": event.told.id, "effect": None}
            writes.append(UpdateOne(key, {"$set": {"effect": why}}))
    if writes:
        collection(OutreachEvent).bulk_write(writes, ordered=False, session=session)


def _why(event: Event, enrollment: Row | None) -> str:
    """Return why nothing follows, empty if something has followed or still may."""
    if event.told.is_machine:
        return "a program has opened it, not a person"
    if event.told.type == "resubscribed":
        return "may be written to again; what was stopped stays stopped"
    if enrollment is None:
        return "the enrollment is gone"
    if enrollment["status"] in ENROLLMENT_OVER:
        return f"the enrollment is {enrollment['status']}"
    if enrollment.get("message_id") not in (None, event.message["_id"]):
        return "a later message has been sent since"
    return ""
