"""One sync of one (user, source): claim, read, land, and say what comes next.

Whatever happens to a run, its state becomes due again by itself, except when
it waits for a person.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from models import DEFAULT_TENANT, SyncRun
from pipeline import metrics
from pipeline.clients.opening import client_for
from pipeline.config import settings
from pipeline.errors import LeaseLost, Misconfigured, RateLimited, ReauthRequired
from pipeline.sources import projections_of, source_named
from pipeline.stores import Row, collection
from pipeline.sync import due, states
from pipeline.sync.cadence import after_sync, promise_seconds
from pipeline.sync.landing import Lander
from pipeline.sync.report import SyncReport
from pipeline.sync.run import BudgetSpent, Progress, Run, untold
from pipeline.sync.states import Claim


def sync(
    user_id: str,
    source_name: str,
    *,
    force: bool = False,
    full: bool = False,
    progress: Progress = untold,
) -> SyncReport:
    """Bring our copy of one user's source up to date.  Safe to run twice.

    `force` runs it though it is not due, `full` also gives up every cursor.
    `progress` is told how far a listing is: a share from 0 to 1, and words.
    A state that is busy or held gives a report with the outcome "not_due".
    Raises Transient, Misconfigured, Permanent or what was not foreseen, after
    the state has been set to become due again.
    """
    source = source_named(source_name)
    report = SyncReport(user_id, source_name)
    claim = states.claim(user_id, source_name, force=force or full)
    if claim is None:
        return report
    report.tenant_id = claim.state.get("tenant_id") or DEFAULT_TENANT
    # By the database's clock, as is the moment of a request that comes in meanwhile.
    started_at, clock = claim.state["last_attempt_at"], time.monotonic()
    run: Run | None = None
    try:
        with (
            states.heartbeat(claim),
            client_for(source.provider, user_id, source_name) as client,
        ):
            lander = Lander(user_id, source)
            run = Run(claim, source, client, lander, started_at, full=full, progress=progress)
            try:
                run.all_streams()
            finally:
                report.calls, report.counts = client.calls, run.counts
                report.changed_streams = run.changed_streams
                report.streams_changed = run.streams_changed
        report.outcome = "succeeded"
        return report
    except BaseException as error:
        report.outcome, report.error = _outcome_of(error), _described(error)
        if report.outcome in ("failed", "misconfigured", "interrupted"):
            raise
        return report
    finally:
        report.seconds = time.monotonic() - clock
        with claim.session:
            _conclude(claim, run, report, started_at)


def _outcome_of(error: BaseException) -> str:
    match error:
        case BudgetSpent():
            return "continued"
        case RateLimited():
            return "rate_limited"
        case ReauthRequired():
            return "needs_reauth"
        case LeaseLost():
            return "lease_lost"
        case Misconfigured():
            return "misconfigured"
        case Exception():
            return "failed"
        case _:  # the worker's time limit or shutdown, a Ctrl-C
            return "interrupted"


def _described(error: BaseException) -> dict[str, Any] | None:
    if isinstance(error, BudgetSpent):
        return None
    known = type(error).__module__ == "pipeline.errors"
    # A foreign error's text may hold addresses or request bodies; the log has its traceback.
    text = str(error) if known else "unexpected; see the worker's log"
    described: dict[str, Any] = {"class": type(error).__name__, "message": text}
    if isinstance(error, RateLimited):
        # Everybody who waits for the project's quota is told the same moment.
        spread = 1.0 if error.scope == "user" else random.uniform(1.0, 1.1)
        wait_seconds = error.retry_after_seconds * spread
        described |= {"retry_after_seconds": wait_seconds, "scope": error.scope}
    return described


def _conclude(claim: Claim, run: Run | None, report: SyncReport, started_at: datetime) -> None:
    """Give the claim back with what comes next, and keep the run's history."""
    metrics.SYNCS.labels(report.source, report.outcome).inc()
    metrics.SYNC_SECONDS.labels(report.source).observe(report.seconds)
    for operation in ("created", "updated", "deleted", "rejected"):
        amount = getattr(report.counts, operation)
        if amount:
            metrics.RECORDS.labels(report.source, operation).inc(amount)
    if report.outcome == "lease_lost":
        return
    now = datetime.now(UTC)
    patch = _next_state(claim.state, report, started_at, now)
    if run is not None:
        patch |= run.pending
    # What was asked for during the run it may have missed; so may a user who connected again.
    asked: Row = {"$gte": ["$requested_at", started_at]}
    revived: Row = {"$and": [asked, {"$eq": ["$status", "needs_reauth"]}]}
    target_ms = int(promise_seconds(report.source, 0) * 1000)
    lagging_by_then: Row = {"$add": ["$requested_at", target_ms]}
    stages: list[Row] = [
        {"$set": {name: _literal(value) for name, value in patch.items()}},
        {
            "$set": {
                "next_due_at": {"$cond": [asked, now, "$next_due_at"]},
                "stale_at": {
                    "$cond": [asked, states.sooner("$stale_at", lagging_by_then), "$stale_at"]
                },
                "status": {"$cond": [revived, "idle", "$status"]},
            }
        },
    ]
    try:
        claim.write_pipeline(stages)
    except LeaseLost:
        report.outcome = "lease_lost"
        return
    report.lagging = _lagging(claim.state)
    collection(SyncRun).insert_one(_history(report, started_at, now))


def _lagging(state: Row) -> tuple[str, ...]:
    """Return the projections that have not seen all that has landed."""
    watermarks: Row = state["projections"]
    return tuple(
        name
        for name in projections_of(state["source"])
        if state["seq"] > watermarks.get(name, {}).get("seq", 0)
    )


def _literal(value: Any) -> Any:
    """Keep MongoDB from reading a dollar sign in data as an expression."""
    return {"$literal": value}


def _next_state(state: Row, report: SyncReport, started_at: datetime, now: datetime) -> Row:
    """Return the fields of the state after a run that ended as `report` says."""
    patch: Row = {
        "owner": None,
        "session": None,
        "lease_until": None,
        "last_error": report.error,
    }
    failures = state["consecutive_failures"] + 1
    match report.outcome:
        case "succeeded":
            return patch | {
                "status": "idle",
                "fresh_as_of": started_at,
                "last_success_at": now,
                "consecutive_failures": 0,
                **_next_look(state, started_at, now),
            }
        case "continued" | "interrupted":
            return patch | {"status": "queued", "next_due_at": now}
        case "rate_limited":
            assert report.error is not None
            pause = timedelta(seconds=report.error["retry_after_seconds"])
            return patch | {"status": "rate_limited", "next_due_at": now + pause}
        case "needs_reauth":
            return patch | {"status": "needs_reauth", "next_due_at": None}
        case "misconfigured":
            pause = timedelta(seconds=due.MISCONFIGURED_BACKOFF_SECONDS)
        case _:
            pause = due.backoff(failures)
    return patch | {
        "status": "error",
        "consecutive_failures": failures,
        "next_due_at": now + pause,
    }


def _next_look(state: Row, started_at: datetime, now: datetime) -> Row:
    """Return when a state that is up to date is due, and how long it counts as fresh."""
    user_id, source = state["user_id"], state["source"]
    cadence = after_sync(state, started_at)

    def due_after(moment: datetime, interval_seconds: float) -> datetime:
        return due.next_due(user_id, source, max(moment, now), interval_seconds)

    def stale_after(moment: datetime, interval_seconds: float) -> datetime:
        return moment + timedelta(seconds=promise_seconds(source, interval_seconds))

    due_at = due_after(now, cadence.interval_seconds)
    stale_at = stale_after(started_at, cadence.interval_seconds)
    if cadence.why == "pushed":  # when nobody renews that, it is polled again
        until = state["live_push_until"]
        due_at = min(due_at, due_after(until, cadence.polled_seconds))
        stale_at = min(stale_at, stale_after(until, cadence.polled_seconds))
    return {"cadence": cadence.document(), "next_due_at": due_at, "stale_at": stale_at}


def _history(report: SyncReport, started_at: datetime, now: datetime) -> Row:
    return {
        "user_id": report.user_id,
        "source": report.source,
        "outcome": report.outcome,
        "started_at": started_at,
        "seconds": round(report.seconds, 3),
        "calls": report.calls,
        **asdict(report.counts),
        "error": report.error,
        "expires_at": now + timedelta(days=settings().sync_run_retention_days),
    }
