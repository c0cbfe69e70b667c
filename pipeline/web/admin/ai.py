"""The AI pages: what was asked and why it failed, what it took, and one request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from models import DEFAULT_TENANT, AiRequest, User
from models.ai import AI_STATUSES
from pipeline.places import Place
from pipeline.platform import ai
from pipeline.stores import Row, collection
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import part
from pipeline.web.templating import render

_URL = "/admin/ai"
_ONE = f"{_URL}/{{tenant_id:id}}/{{request_id:id}}"
_PER_PAGE = 50
_MOST_TEXT = 200


def _read(visit: Visit) -> Mapping[str, Any]:
    asked = {name: visit.query.get(name, "")[:_MOST_TEXT] for name in ("tenant", "type", "status")}
    before = _place(visit.query.get("before"))
    tenants = part("mongodb", _tenants, keep="tenants of AI")
    names = tenants.value or []
    tenant_id = asked["tenant"] or (names[0] if names else DEFAULT_TENANT)
    for field, known in (("type", ai.TYPES), ("status", AI_STATUSES)):
        if asked[field] not in ("", *known):
            raise NotFound(f"There is no such {field}; there are {', '.join(known)}.")

    def read() -> dict[str, Any]:
        rows = ai.listed(
            tenant_id,
            types=[asked["type"]] if asked["type"] else (),
            statuses=[asked["status"]] if asked["status"] else (),
            before=before,
            limit=_PER_PAGE + 1,
        )
        shown, more = rows[:_PER_PAGE], len(rows) > _PER_PAGE
        after = str(Place.of(shown[-1], "created_at")) if more else ""
        return {
            "rows": [_shown(row) for row in shown],
            "uses": ai.usage(tenant_id, visit.now.astimezone(UTC).date()),
            "next": _address(asked, before=after) if after else "",
        }

    return {
        "url": _URL,
        "asked": asked,
        "tenant_id": tenant_id,
        "tenants": [(name, name) for name in sorted({*names, tenant_id})],
        "types": [("", "all"), *((name, name) for name in ai.TYPES)],
        "statuses": [("", "all"), *((name, name) for name in AI_STATUSES)],
        "first": _address(asked) if before else "",
        "found": part("mongodb", read),
        "quotas": part("redis", lambda: ai.quotas_of(tenant_id), keep=f"AI quotas {tenant_id}"),
    }


def _tenants() -> list[str]:
    asked = set(collection(AiRequest).distinct("tenant_id"))
    return sorted(
        asked | {name or DEFAULT_TENANT for name in collection(User).distinct("tenant_id")}
    )


def _place(text: str | None) -> tuple[datetime, str] | None:
    try:
        place = Place.parsed(text, str) if text else None
    except ValueError:
        raise NotFound("This address does not name a place in the list.") from None
    return (place.at, str(place.id)) if place else None


def _address(asked: Mapping[str, str], **changes: str) -> str:
    return f"?{urlencode({name: value for name, value in {**asked, **changes}.items() if value})}"


def _shown(row: Row) -> dict[str, Any]:
    """Return a request without what it says: neither content nor result."""
    error = row.get("error") or {}
    return {name: row.get(name) for name in row if name not in ("content", "result")} | {
        "id": row["_id"],
        "url": f"{_URL}/{segment(row['tenant_id'])}/{segment(row['_id'])}",
        "user_url": f"/admin/users/{segment(row['user_id'])}" if row.get("user_id") else "",
        "why": error.get("message") or error.get("class") or "",
        "error_class": error.get("class") or "",
        "has_result": bool(row.get("result")),
        "dollars": f"${row['cost_microusd'] / 1e6:.4f}",
    }


def _one(visit: Visit) -> Row:
    row = ai.result(visit.path["tenant_id"], visit.path["request_id"])
    if row is None:
        raise NotFound("There is no such request; they are kept for AI_RETENTION_DAYS.")
    return row


def _read_one(visit: Visit) -> Mapping[str, Any]:
    return {"url": _URL, "found": part("mongodb", lambda: _shown(_one(visit)))}


def _retry(visit: Visit) -> Done:
    row = _one(visit)
    ai.retry(row["tenant_id"], row["_id"])
    return Done("It is tried again.", {"request": row["_id"]})


def _reveal(visit: Visit) -> Done:
    """Show what was answered, once, to who asks."""
    row = _one(visit)
    lines = [f"{name}: {value}" for name, value in (row.get("result") or {}).items()]
    html = render(
        "admin/_revealed.html",
        title="Result",
        text="\n".join(lines) or "There is no result.",
        who=visit.principal.name,
    )
    return Done("Revealed.", {"request": row["_id"]}, html=html)


routes = [
    page(_URL, "ai", _read, title="AI", seconds=5),
    page(_ONE, "ai_request", _read_one, title="AI request", nav="ai"),
    action(f"{_ONE}/retry", _retry, name="ai.retry"),
    action(f"{_ONE}/reveal", _reveal, name="ai.reveal"),
]
