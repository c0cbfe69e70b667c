"""The Overview: is the data fresh, do the queues move, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.dead_letters.trend import trend
from pipeline.freshness import connections_by_status
from pipeline.jobs.looking import Seen, look
from pipeline.jobs.workers import Worker, workers
from pipeline.lateness import shares
from pipeline.limits.reading import Use, use
from pipeline.stores import redis_client
from pipeline.sync.held import pauses_of_syncs
from pipeline.timetable import overdue_seconds, timetable
from pipeline.web import samples
from pipeline.web.admin.verdict import LATE_TICK_SECONDS, verdict
from pipeline.web.pages import Visit, page
from pipeline.web.remembered import Remembered
from pipeline.web.stores import Part, part, prober, used

#: How old figures over all users may be; counting them takes tens of milliseconds.
_FLEET_SECONDS = 5.0
#: Points of a sparkline: one a minute.
_STEP = 6
_PROVIDERS = {"google": "Google", "microsoft": "Microsoft", "sendgrid": "SendGrid"}
#: Statuses of connections, in the order in which they are told, and what they mean.
_CONNECTIONS = (
    ("active", "ok"),
    ("needs_reauth", "bad"),
    ("broken", "bad"),
    ("disconnected", "idle"),
)

_shares = Remembered(lambda: shares(datetime.now(UTC)), _FLEET_SECONDS)
_letters = Remembered(lambda: trend(datetime.now(UTC)), _FLEET_SECONDS)
_connections = Remembered(connections_by_status, _FLEET_SECONDS)
REMEMBERED = (_shares, _letters, _connections)


@dataclass(frozen=True, slots=True)
class Memory:
    """What Redis holds of what it may; `maximum_bytes` is 0 without a bound."""

    used_bytes: int
    maximum_bytes: int
    policy: str


def _read(visit: Visit) -> Mapping[str, Any]:
    queues = part("redis", _queues, keep="overview queues")
    fleet = part("mongodb", _shares.get, keep="overview freshness")
    plans = part("redis", lambda: timetable(visit.now), keep="overview schedules")
    held = part("redis", pauses_of_syncs).value or []
    cards = queues.value or []
    answer = verdict(
        fleet.value if fleet.ok else None,
        [seen for seen, _ in cards] if queues.ok else None,
        held,
        plans.value or [],
        visit.now,
    )
    return {
        "verdict": answer,
        "fleet": fleet,
        "queues": queues,
        "busy": [card for card in cards if _has_something(card[0])],
        "idle": [seen.queue.name for seen, _ in cards if not _has_something(seen)],
        "letters": part("mongodb", _letters.get, keep="overview letters"),
        "connections": _by_status(part("mongodb", _connections.get, keep="overview connections")),
        "quotas": _by_provider(part("redis", use, keep="overview quotas")),
        "stores": [prober().health()[name] for name in used()],
        "memory": part("redis", _memory, keep="overview memory"),
        "plans": plans,
        "overdue": {p.schedule.name: overdue_seconds(p, visit.now) for p in plans.value or []},
        "late_tick_seconds": LATE_TICK_SECONDS,
        "workers": part("redis", _workers, keep="overview workers"),
    }


def _queues() -> list[tuple[Seen, samples.Series]]:
    """Return every queue with its last hour, those first whose oldest job waits longest."""
    hour = samples.read()
    seen = sorted(look(), key=lambda one: (-one.depth.oldest_seconds, one.queue.name))
    return [(one, hour[one.queue.name].every(_STEP)) for one in seen]


def _has_something(seen: Seen) -> bool:
    """Return whether a queue has a card: the table has jobs on it, or it holds some."""
    depth = seen.depth
    return seen.has_jobs or bool(depth.waiting or depth.running or depth.delayed or depth.failed)


def _by_status(found: Part[dict[tuple[str, str], int]]) -> dict[str, Any]:
    """Return connections as segments of a bar, those of all providers together."""
    counted = found.value or {}
    segments = [
        {
            "label": status.replace("_", " "),
            "kind": kind,
            "value": sum(n for (_, of), n in counted.items() if of == status),
        }
        for status, kind in _CONNECTIONS
    ]
    return {"part": found, "segments": segments, "total": sum(counted.values())}


def _by_provider(found: Part[list[Use]]) -> dict[str, Any]:
    """Return the gauges of quotas by the name of their provider."""
    groups: dict[str, list[Use]] = {}
    for one in found.value or []:
        provider = one.profile.partition("-")[0]
        groups.setdefault(_PROVIDERS.get(provider, provider), []).append(one)
    return {"part": found, "groups": groups}


def _memory() -> Memory:
    known: Any = redis_client().info("memory")
    return Memory(
        int(known["used_memory"]),
        int(known.get("maxmemory", 0)),
        str(known.get("maxmemory_policy", "")),
    )


def _workers() -> dict[str, int]:
    found: Sequence[Worker] = workers()
    live = [worker for worker in found if not worker.silent]
    return {
        "live": len(live),
        "silent": len(found) - len(live),
        "busy": sum(len(worker.running) for worker in live),
        "slots": sum(worker.threads for worker in live),
    }


routes = [page("/admin/queues", "overview", _read, title="Overview")]
