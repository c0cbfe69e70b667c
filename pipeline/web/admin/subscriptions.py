"""The Subscriptions page: what providers push to us, how that goes, renew and stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from models import SUBSCRIPTION_STATUSES
from pipeline.jobs.redaction import masked
from pipeline.push import by_hand
from pipeline.push.kinds import KINDS
from pipeline.push.plan import OVER, REFUSED
from pipeline.push.reading import Place, Wanted, counts, listed, why_none
from pipeline.stores import Row
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.stores import part

_LIMIT = 50
#: `q` is what somebody has typed; other pages link to a `user`.
_FILTERS = ("status", "source", "q", "user")
_OPTIONAL = (
    *("expires_at", "renewed_at", "confirmed_at", "last_event_at"),
    *("silent_after", "last_error", "retry_at", "held_by"),
)


def _address(visit: Visit, **changes: str) -> str:
    """Return this page's address with some of its query changed, from the first page on."""
    kept = {name: visit.query[name] for name in _FILTERS if name in visit.query}
    query = {name: value for name, value in (kept | changes).items() if value}
    return f"?{urlencode(query)}"


def _wanted(visit: Visit) -> Wanted:
    status, source = visit.query.get("status") or None, visit.query.get("source") or None
    if status is not None and status not in SUBSCRIPTION_STATUSES:
        raise NotFound(f"no subscription is {status}; {', '.join(SUBSCRIPTION_STATUSES)}")
    if source is not None and source not in KINDS:
        raise NotFound(f"{source} cannot be pushed; only {', '.join(KINDS)} can")
    user_id = visit.query.get("q", "").strip() or visit.query.get("user") or None
    return Wanted(source, status, user_id)


def _after(visit: Visit) -> Place | None:
    text = visit.query.get("after")
    try:
        return Place.parsed(text) if text else None
    except (ValueError, OverflowError):
        raise NotFound("this address does not name a place in the list") from None


def _read(visit: Visit) -> Mapping[str, Any]:
    wanted, after = _wanted(visit), _after(visit)

    def read() -> dict[str, Any]:
        found = listed(wanted, _LIMIT + 1, after)
        shown, more = found[:_LIMIT], len(found) > _LIMIT
        return {
            "rows": [_shown(row, visit.now) for row in shown],
            "tabs": _tabs(visit, wanted),
            "next": _address(visit, after=str(Place.of(shown[-1]))) if more else "",
        }

    return {
        "found": part("mongodb", read, keep="" if visit.query else "subscriptions"),
        "missing": why_none(),
        "wanted": wanted,
        "keep": {name: visit.query[name] for name in ("status", "source") if name in visit.query},
        "sources": [(_address(visit, source=name), name) for name in KINDS],
        "all_sources": _address(visit, source=""),
        "first": _address(visit) if after else "",
    }


def _tabs(visit: Visit, wanted: Wanted) -> list[dict[str, Any]]:
    by_status = counts(wanted.source)
    total = {"label": "All", "href": _address(visit, status=""), "current": not wanted.status}
    return [
        total | {"count": sum(by_status.values())},
        *(
            {
                "label": status.capitalize(),
                "href": _address(visit, status=status),
                "current": status == wanted.status,
                "count": count,
                "kind": "bad" if status == "failed" else "",
            }
            for status, count in by_status.items()
        ),
    ]


def _shown(row: Row, now: datetime) -> Row:
    """Return what the page shows of a row; ids of calendars are mail addresses, and masked."""
    kind, _, name = row["stream"].partition("/")
    silent_after = row.get("silent_after")
    ended = row["status"] == "active" and row["expires_at"] <= now
    open_to_acts = row["status"] in ("active", *REFUSED)
    shown: Row = dict.fromkeys(_OPTIONAL) | row
    return shown | {
        "what": f"{kind} {masked(name)}".rstrip(),
        "state": "expired" if ended else row["status"],
        "is_over": row["status"] in OVER,
        "is_silent": silent_after is not None and silent_after <= now,
        "renewable": open_to_acts or bool(row.get("held_by")),
        "stoppable": open_to_acts,
    }


def _renew(visit: Visit) -> Done:
    row = by_hand.renew(visit.path["subscription"])
    return Done("It is renewed as soon as a worker is free.", {"user_id": row["user_id"]})


def _stop(visit: Visit) -> Done:
    row = by_hand.stop(visit.path["subscription"], visit.principal.name)
    text = "It is being stopped; its source is polled as if there were no push."
    return Done(text, {"user_id": row["user_id"]})


_ONE = "/admin/subscriptions/{subscription:id}"
routes = [
    page("/admin/subscriptions", "subscriptions", _read, title="Subscriptions", seconds=5),
    action(f"{_ONE}/renew", _renew, name="subscription.renew"),
    action(f"{_ONE}/stop", _stop, name="subscription.stop"),
]
