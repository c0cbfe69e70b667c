"""The Audit page: who did what, on what, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from models.audit_log import AUDIT_OUTCOMES
from pipeline import audit
from pipeline.web.pages import NotFound, Visit, page
from pipeline.web.stores import part

_PER_PAGE = 50
_FILTERS = ("actor", "action", "target", "outcome")
#: An act that has not ended after this has probably lost its process.
_LOST_AFTER = timedelta(minutes=10)
_URL = "/admin/audit"


def _read(visit: Visit) -> Mapping[str, Any]:
    filters = {name: visit.query.get(name, "").strip()[:200] for name in _FILTERS}
    before = visit.query.get("before", "")
    if filters["outcome"] not in ("", *AUDIT_OUTCOMES):
        raise NotFound(f"There is no outcome {filters['outcome']!r} in the audit.")
    return {
        "rows": part("mongodb", lambda: _rows(filters, before, visit.now)),
        "actors": _choices(_known("actor"), filters["actor"]),
        "actions": _choices(_known("action"), filters["action"]),
        "outcomes": _choices(AUDIT_OUTCOMES, filters["outcome"]),
        "filters": filters,
        "first_url": _url(filters) if before else "",
    }


def _rows(filters: Mapping[str, str], before: str, now: datetime) -> Mapping[str, Any]:
    try:
        found = audit.entries(_PER_PAGE + 1, before=before, **filters)
    except ValueError as error:
        raise NotFound(f"{error}.") from None
    shown = found[:_PER_PAGE]
    more = len(found) > _PER_PAGE
    return {
        "entries": shown,
        "lost": {
            entry.id
            for entry in shown
            if entry.outcome == "started" and now - entry.at > _LOST_AFTER
        },
        "next_url": _url(filters, before=shown[-1].cursor) if more else "",
    }


def _known(name: Literal["actor", "action"]) -> list[str]:
    found = part("mongodb", lambda: audit.known(name), keep=f"audit {name}s")
    return found.value or []


def _choices(known: Iterable[str], chosen: str) -> list[str]:
    """Return what a field offers; what is chosen, too, if no row has it (any more)."""
    return sorted({*known, chosen} - {""})


def _url(filters: Mapping[str, str], **more: str) -> str:
    query = {name: value for name, value in {**filters, **more}.items() if value}
    return f"{_URL}?{urlencode(query)}" if query else _URL


routes = [page(_URL, "audit", _read, title="Audit", seconds=5)]
