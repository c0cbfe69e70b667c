"""From a change at the provider to the graph: pushed, received, synced, projected."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.queue.measure import Results, rounded
from benchmarks.web.stage import Stage
from models import SyncState
from pipeline.clients import graph
from pipeline.connect import connect_google
from pipeline.dispatch import send
from pipeline.stores import collection

PUSH_SECONDS = 1.0
_CALENDAR = "google_calendar"
_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0
_NODE = "MATCH (e:Event {user_id: $user, key: $key}) RETURN e.key"


def time_pushes(stage: Stage, users: int) -> Results:
    """Add an event to the calendar of each user in turn, and wait until the graph has its node.

    One change per user: the syncs of a user are limited to ten a minute.
    """
    names = [f"push-{number}" for number in range(users)]
    with stage.workers():
        for name in names:
            stage.sandbox.add_user(name, seed=1, calendars=1, events=5)
            connect_google(name, stage.sandbox.authorized_user(name))
        stage.log("waiting for first syncs and subscriptions")
        send("dispatch")
        send("renew_subscriptions")
        _until(lambda: _live(names), "subscriptions")
        streams = [_calendar_of(stage, name) for name in names]
        pairs = zip(names, streams, strict=True)
        return _rows(sorted(_seconds(stage, user, stream) for user, stream in pairs))


def _rows(times: list[float]) -> Results:
    p95 = times[max(0, round(len(times) * 0.95) - 1)]
    spread = {"min": rounded(times[0], 2), "max": rounded(times[-1], 2)}
    middle = rounded(statistics.median(times), 2)
    goal = {"target": f"below {PUSH_SECONDS:g}", "met": p95 < PUSH_SECONDS}
    return {
        "push_to_graph_p50_s": {"value": middle, **spread},
        "push_to_graph_p95_s": {"value": rounded(p95, 2), **goal},
    }


def _live(names: list[str]) -> bool:
    pushed = {"user_id": {"$in": names}, "source": _CALENDAR}
    pushed |= {"live_push_until": {"$gt": datetime.now(UTC)}}
    return collection(SyncState).count_documents(pushed) == len(names)


def _calendar_of(stage: Stage, user: str) -> str:
    """Return the stream of the user's own calendar; those of holidays are not pushed."""
    streams = (stream for stream, _, _ in stage.sandbox.truth(user, _CALENDAR))
    return next(s for s in streams if s.startswith("events/") and "holiday" not in s)


def _seconds(stage: Stage, user: str, stream: str) -> float:
    event_id = f"bench{secrets.token_hex(4)}"
    key = f"{stream.removeprefix('events/')}/{event_id}"
    begins = datetime.now(UTC) + timedelta(days=1)
    event = {
        "summary": "Pushed",
        "start": {"dateTime": begins.isoformat(timespec="seconds")},
        "end": {"dateTime": (begins + timedelta(hours=1)).isoformat(timespec="seconds")},
    }
    begun = time.monotonic()
    stage.sandbox.put(user, _CALENDAR, stream, event_id, event)
    _until(lambda: bool(graph.read(_NODE, user=user, key=key)), "the graph")
    return time.monotonic() - begun


def _until(seen: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not show the change")
        time.sleep(_LOOK_SECONDS)
