"""Which message something was told of: by the id that we gave it, else by the provider's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.outreach import OutboundMessage
from pipeline.outreach.events.told import Event, Told
from pipeline.stores import Row, collection

#: What of a message the recording of its events needs.
FIELDS = (
    *("tenant_id", "campaign_id", "enrollment_id", "contact_id", "sender_id", "node_id"),
    *("channel", "provider", "provider_id", "to_address", "state"),
)


def matched(
    told: Sequence[Told], delivery_id: str = "", sender_id: str = ""
) -> tuple[list[Event], list[Told]]:
    """Return the events whose message is known, and what was told of others.

    It has to be of the provider that tells, of the tenant that the provider names, and of
    `sender_id` where its own endpoint was told.
    """
    by_id = rows_by("_id", (one.message_id for one in told))
    by_provider = rows_by("provider_id", (one.provider_id for one in told if not one.message_id))
    events, unknown = [], []
    for one in told:
        # An id of ours that is not here is that of another environment.
        row = by_id.get(one.message_id) if one.message_id else by_provider.get(one.provider_id)
        if row is not None and _fits(one, row, sender_id):
            events.append(Event(one, row, delivery_id))
        else:
            unknown.append(one)
    return events, unknown


def rows_by(field: str, values: Iterable[str]) -> dict[str, Row]:
    """Return the messages that have one of `values`, which are not empty, in `field`, by it."""
    wanted = sorted({value for value in values if value})
    if not wanted:
        return {}
    found = collection(OutboundMessage).find({field: {"$in": wanted}}, FIELDS)
    return {row[field]: row for row in found}


def _fits(told: Told, row: Row, sender_id: str) -> bool:
    return (
        row["provider"] == told.provider
        and told.tenant_id in ("", row["tenant_id"])
        and sender_id in ("", row["sender_id"])
    )
