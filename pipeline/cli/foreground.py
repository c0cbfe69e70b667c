"""Syncs in this process, for a person who watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any, Self

from pymongo.errors import PyMongoError

from models import SyncState
from pipeline import dispatch
from pipeline.cli.exits import WrongUse, is_expected, message_of
from pipeline.cli.output import duration, progress_bar
from pipeline.errors import RateLimited
from pipeline.heartbeat import Heartbeat
from pipeline.stores import Row, collection
from pipeline.sync import engine, lanes
from pipeline.sync.dry_run import dry_run as engine_dry_run
from pipeline.sync.landing import Counts
from pipeline.users.fleet import backfills

#: A longer wait for quota is left to the workers.
LONGEST_WAIT_SECONDS = 180.0
_LOOK_SECONDS = 0.5

Wait = Callable[[float], None]


def sources_of(user_id: str, source: str | None) -> list[str]:
    """Return the sources to sync.  Raises WrongUse if the user has not connected them."""
    connected = sorted(collection(SyncState).distinct("source", {"user_id": user_id}))
    if source is None:
        if not connected:
            raise WrongUse(f"user {user_id!r} has no source: see `headrace connect --help`")
        return connected
    if source not in connected:
        raise WrongUse(f"user {user_id!r} has not connected {source}")
    return [source]


def sync(user_id: str, source: str, *, full: bool, wait: Wait) -> dict[str, Any]:
    """Sync until nothing is left to do, and have the graph follow; return what was done.

    Errors come back as an outcome that is not `ok`, for the other sources are not concerned.
    """
    total, calls, began = Counts(), 0, time.monotonic()
    first = True
    while True:
        try:
            report = engine.sync(user_id, source, force=True, full=full and first)
        except Exception as error:
            if not is_expected(error):
                raise
            return _outcome(source, "failed", total, calls, began, message_of(error))
        first = False
        total.add(report.counts)
        calls += report.calls
        again = report.again_in_seconds
        if again is None or again > LONGEST_WAIT_SECONDS:
            break
        wait(again)
    dispatch.send_many(lanes.nudges(user_id, source, report.tenant_id, report.lagging))
    outcome, why = report.outcome, (report.error or {}).get("message")
    if outcome == "not_due":
        outcome, why = _why_not(user_id, source)
    return _outcome(source, outcome, total, calls, began, why)


def dry_run(user_id: str, source: str, *, full: bool, wait: Wait) -> dict[str, Any]:  # noqa: ARG001
    """Return what a sync would do; the shape is that of `sync`."""
    began = time.monotonic()
    try:
        found = engine_dry_run(user_id, source, full=full)
    except Exception as error:
        if not is_expected(error):
            raise
        kind = "rate_limited" if isinstance(error, RateLimited) else "failed"
        return _outcome(source, kind, Counts(), 0, began, message_of(error))
    why = None if found.complete else "time was up: there may be more of everything"
    return _outcome(source, "dry_run", found.counts, found.calls, began, why)


def _why_not(user_id: str, source: str) -> tuple[str, str]:
    """Return outcome and reason where nothing was claimed."""
    state: Row = collection(SyncState).find_one({"user_id": user_id, "source": source}) or {}
    match state.get("status"):
        case "needs_reauth":
            error = state.get("last_error") or {}
            return "needs_reauth", f"{error.get('message', 'refused')}; the user must connect again"
        case "paused":
            return "paused", "it is paused"
    return "busy", "another sync of it is under way, and does the same"


def _outcome(
    source: str, outcome: str, counts: Counts, calls: int, began: float, why: str | None
) -> dict[str, Any]:
    return {
        "source": source,
        "outcome": outcome,
        "ok": outcome in ("succeeded", "dry_run", "busy"),
        **asdict(counts),
        "calls": calls,
        "seconds": round(time.monotonic() - began, 2),
        "why": why,
    }


class Progress:
    """Shows the source that is being synced, and how far its listing has got."""

    def __init__(self, user_id: str, *, shown: bool) -> None:
        self._user_id = user_id
        self._source = ""
        self._waits_until: float | None = None
        self._stack = ExitStack()
        self._bar = progress_bar(shown=shown)
        self._task = self._bar.add_task("", total=None)
        self._looking = Heartbeat("progress", _LOOK_SECONDS, self._beat)

    def begin(self, source: str) -> None:
        """Show `source` from now on."""
        self._source = source
        self._bar.update(self._task, description=source, total=None, completed=0)

    def wait(self, seconds: float) -> None:
        """Wait for quota, and say so."""
        if seconds:
            self._waits_until = time.monotonic() + seconds
            time.sleep(seconds)
            self._waits_until = None

    def _beat(self) -> bool:
        with suppress(PyMongoError):  # the sync itself will say so
            self._look()
        return True

    def _look(self) -> None:
        description = self._source
        if self._waits_until is not None:
            left_seconds = self._waits_until - time.monotonic()
            description = f"{self._source} waits {duration(left_seconds)} for quota"
        found = [row for row in backfills(self._user_id) if row.source == self._source]
        for row in found:
            self._bar.update(self._task, completed=row.done, total=row.total)
        self._bar.update(self._task, description=description)

    def __enter__(self) -> Self:
        if not self._bar.disable:
            self._stack.enter_context(self._bar)
            self._stack.enter_context(self._looking)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
