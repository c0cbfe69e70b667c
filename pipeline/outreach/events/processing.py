"""From a delivery to facts about messages: what a job does with what a provider has told."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pymongo.errors import ConnectionFailure

from pipeline.errors import Transient
from pipeline.outreach.events import deliveries, sendgrid, texting
from pipeline.outreach.events.matching import matched
from pipeline.outreach.events.opting import keep_objections
from pipeline.outreach.events.reading import Reading
from pipeline.outreach.events.recording import recorded
from pipeline.outreach.events.told import Event, Told
from pipeline.stores import Row
from pipeline.words import counted

#: Entries of one transaction.
_CHUNK = 100
_UNKNOWN = "there is no such message"


def process(delivery_id: str) -> str:
    """Work through a delivery, and say in words what was in it.  Safe to repeat.

    Raises what went wrong with the first event that could not be recorded; those beside it are.
    """
    delivery = deliveries.begin(delivery_id)
    if delivery is None:
        return "the delivery has expired"
    reading = _read(delivery)
    counts: Row = {"applied": 0, "duplicates": 0, "noted": 0}
    tenant_ids: set[str] = set()
    errors: list[Exception] = []
    for start in range(0, len(reading.told), _CHUNK):
        chunk = reading.told[start : start + _CHUNK]
        errors += _take(delivery, reading, chunk, counts, tenant_ids)
    if errors:
        raise errors[0]
    counts |= {"skipped": sum(reading.skipped.values()), "malformed": reading.malformed}
    deliveries.close(delivery_id, reading, counts, sorted(tenant_ids))
    return f"{counted(counts['applied'], 'new event')} of {sum(counts.values()):,}"


def _read(delivery: Row) -> Reading:
    if delivery["provider"] == "sendgrid":
        return sendgrid.read(json.loads(delivery["raw"]))
    return texting.read(delivery)


def _take(
    delivery: Row, reading: Reading, told: Sequence[Told], counts: Row, tenant_ids: set[str]
) -> list[Exception]:
    """Record a chunk of what was told, and count what came of it; return what went wrong."""
    events, unknown = matched(told, delivery["_id"], delivery.get("sender_id", ""))
    if unknown:
        reading.skip(_UNKNOWN, len(unknown))
    if not events:
        return []
    new, errors = _recorded(events)
    noted = sum(not event.told.type for event in events)
    counts["applied"] += new
    counts["noted"] += noted
    counts["duplicates"] += len(events) - new - noted
    tenant_ids.update(event.message["tenant_id"] for event in events)
    return errors


def _recorded(events: Sequence[Event]) -> tuple[int, list[Exception]]:
    """Record events, all but those that cannot be; return how many were new, and why not.

    One that fails, of whichever tenant, keeps no other from being heeded.  Raises what tells
    that the store is away.
    """
    try:
        return len(recorded(events).new), []
    except (ConnectionFailure, Transient):
        raise
    except Exception as error:  # noqa: BLE001 - raised once the others are recorded
        if len(events) == 1:
            keep_objections(events)
            return 0, [error]
    middle = len(events) // 2
    first, second = _recorded(events[:middle]), _recorded(events[middle:])
    return first[0] + second[0], first[1] + second[1]
