"""What a rule would have met: how far back, how many a day, and the newest mails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pipeline.mailbox.simulating import simulate
from pipeline.masking import masked_address
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import address
from pipeline.web.pages import NotFound, Visit

SPANS = (30, 60, 90)
MOST_DAYS = SPANS[-1]


def days_of(visit: Visit) -> int:
    """Return how far back the address wants to look.  Raises NotFound."""
    text = visit.query.get("days", str(MOST_DAYS))
    if text not in map(str, SPANS):
        raise NotFound(f"Choose {', '.join(map(str, SPANS))} days.")
    return int(text)


def tabs(visit: Visit, days: int) -> list[dict[str, Any]]:
    """Return how far back one may look."""
    return [
        {"label": f"{n} days", "href": address(visit, (), days=str(n)), "current": n == days}
        for n in SPANS
    ]


def simulated(
    user_id: str, conditions: Mapping[str, Any], days: int, folders: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the pages say of a simulation.  Raises Refused for conditions that cannot be."""
    found = simulate(user_id, conditions, days)
    midnight = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    each = [midnight - timedelta(days=back) for back in range(days - 1, -1, -1)]
    return {
        "count": found.count,
        "unknown": found.unknown,
        "times": [int(day.timestamp()) for day in each],
        "daily": [found.daily[day.date()] for day in each],
        "rows": [_row(event, folders) for event in found.newest],
    }


def _row(event: Row, folders: Mapping[str, str]) -> dict[str, Any]:
    return {
        "at": event["timestamp"],
        "sender": masked_address((event.get("sender") or {}).get("email")),
        "folder": folders.get(event.get("to_folder") or "", "a folder that is gone"),
    }
