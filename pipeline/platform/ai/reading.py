"""What was asked and answered, and what it took; always of one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from models import AiRequest, AiUsage
from models.ai import AI_STATUSES, AI_TYPES
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

#: A request may have been replaced by one that was replaced, and so on.
_MOST_STEPS = 20
MOST_LISTED = 200


class Use(NamedTuple):
    """What calls of one model and type took; `unanswered` ones are counted as expected."""

    type: str
    provider: str
    model: str
    calls: int
    unanswered: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_microusd: int
    seconds: float


def result(tenant_id: str, request_id: str) -> Row | None:
    """Return the row of a request, or of the one that has replaced it; None if there is none."""
    row = None
    for _ in range(_MOST_STEPS):
        found = collection(AiRequest).find_one({"_id": request_id, "tenant_id": tenant_id})
        if found is None:
            break
        row, request_id = found, str(found.get("replaced_by"))
        if row["status"] != "replaced":
            break
    return row


def results_of(tenant_id: str, entity: tuple[str, str], *, user_id: str | None = None) -> list[Row]:
    """Return the newest result of each type and options for an entity, newest first.

    What was answered of an older content is there until the newer is; compare `content_hash`.
    `user_id` is needed for a thread, since two users may have one of the same id.
    """
    kind, entity_id = entity
    wanted: Row = {
        "tenant_id": tenant_id,
        "entity.kind": kind,
        "entity.id": entity_id,
        "status": "done",
    }
    if user_id is not None:
        wanted["user_id"] = user_id
    found: dict[str, Row] = {}
    for row in collection(AiRequest).find(wanted).sort([("created_at", -1), ("_id", -1)]):
        found.setdefault(f"{row['type']} {sorted(row['options'].items())}", row)
    return list(found.values())


def listed(
    tenant_id: str,
    *,
    types: Sequence[str] = (),
    statuses: Sequence[str] = (),
    entity: tuple[str, str] | None = None,
    user_id: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Row]:
    """Return requests of a tenant, newest first; `before` is the created_at and id to go on from.

    Raises Refused for a type or status that there is not, or a limit that is too high.
    """
    _check("type", types, AI_TYPES)
    _check("status", statuses, AI_STATUSES)
    if not 1 <= limit <= MOST_LISTED:
        raise Refused("limit", f"expected 1 to {MOST_LISTED}")
    wanted: Row = {"tenant_id": tenant_id}
    if types:
        wanted["type"] = {"$in": list(types)}
    if statuses:
        wanted["status"] = {"$in": list(statuses)}
    if entity is not None:
        wanted |= {"entity.kind": entity[0], "entity.id": entity[1]}
    if user_id is not None:
        wanted["user_id"] = user_id
    if before is not None:
        at, request_id = before
        same = {"created_at": at, "_id": {"$lt": request_id}}
        wanted["$or"] = [{"created_at": {"$lt": at}}, same]
    order = [("created_at", -1), ("_id", -1)]
    return list(collection(AiRequest).find(wanted).sort(order).limit(limit))


def usage(tenant_id: str, day: date) -> list[Use]:
    """Return what a tenant used on a day of UTC, by type and model, the dearest first."""
    begin = datetime.combine(day, time(), UTC)
    sums = ("tokens_in", "tokens_out", "tokens_cached", "cost_microusd", "seconds")
    found = collection(AiUsage).aggregate(
        [
            {
                "$match": {
                    "tenant_id": tenant_id,
                    "at": {"$gte": begin, "$lt": begin + timedelta(days=1)},
                }
            },
            {
                "$group": {
                    "_id": {"type": "$type", "provider": "$provider", "model": "$model"},
                    "calls": {"$sum": 1},
                    "unanswered": {"$sum": {"$cond": ["$answered", 0, 1]}},
                    **{name: {"$sum": f"${name}"} for name in sums},
                }
            },
            {"$sort": {"cost_microusd": -1, "tokens_in": -1, "_id": 1}},
        ]
    )
    return [Use(**row.pop("_id"), **row) for row in found]


def _check(field: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise Refused(field, f"there is no {field} {name!r}; there are {', '.join(known)}")
