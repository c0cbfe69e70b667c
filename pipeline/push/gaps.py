"""Subscriptions that should have spoken and did not.

Two signs.  Silence: by its rate so far an event should have come long ago.  It
proves nothing, so the state is only looked at.  A gap: a sync has found a change
that nobody had told of.  That subscription is taken for broken, and replaced.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models import Subscription, SyncRun, WebhookDelivery
from pipeline import metrics
from pipeline.push import rows
from pipeline.push.kinds import KINDS
from pipeline.push.requests import request
from pipeline.stores import Row, collection
from pipeline.sync import states
from pipeline.sync.cadence import pushed_seconds
from pipeline.sync.report import SyncReport

#: Of events that come by chance at an even rate, one gap in e^7, about 1,100, is longer
#: than this many mean gaps.
SUSPICIOUS_GAPS = 7.0
SHORTEST_SILENCE_SECONDS = 600.0
#: The weight of the newest gap in the moving average.
_NEWEST_SHARE = 0.2
#: How late a provider's notification may be: Google promises nothing; seconds are usual.
DELIVERY_SECONDS = 60.0
#: Rows that one tick looks at.
_BATCH = 500


def note_events(row: Row, deliveries: list[Row]) -> None:
    """Add deliveries, oldest first, to what is known of a subscription's rate; `row` too.

    Those that came together count as one in the rate: providers send in bursts.
    """
    last: datetime | None = row.get("last_event_at")
    news = [d for d in deliveries if last is None or d["received_at"] > last]
    if not news:
        return
    newest: datetime = news[-1]["received_at"]
    changes: Row = {"last_event_at": newest}
    numbers = [d["number"] for d in news if d.get("number") is not None]
    if numbers:
        changes["last_event_number"] = max(numbers)
    if last is not None:
        # A night is no sign of how often events come by day; the poll covers it.
        gap = min((newest - last).total_seconds(), pushed_seconds(row["source"]))
        mean = row.get("mean_gap_seconds")
        changes["mean_gap_seconds"] = gap if mean is None else mean + _NEWEST_SHARE * (gap - mean)
        usual = SUSPICIOUS_GAPS * changes["mean_gap_seconds"]
        changes["silence_seconds"] = max(usual, SHORTEST_SILENCE_SECONDS)
    collection(Subscription).update_one(
        {"_id": row["_id"], "last_event_at": last},
        _with_silence(row["source"], changes, newest) | {"$inc": {"events": len(news)}},
    )
    row |= changes


def _with_silence(source: str, changes: Row, since: datetime) -> Row:
    """Return the update that also says when it will have been quiet for too long.

    Never, where the poll of `source` looks sooner.
    """
    seconds = changes.get("silence_seconds")
    if seconds is None or seconds >= pushed_seconds(source):
        return {"$set": changes, "$unset": {"silent_after": ""}}
    return {"$set": changes | {"silent_after": since + timedelta(seconds=seconds)}}


def look_at_silent() -> int:
    """Make the states due whose subscriptions are too quiet; returns how many.

    Until the next event each waits twice as long for its next turn.  The
    dispatcher queues them, as it does whatever is due.
    """
    now = datetime.now(UTC)
    subscriptions = collection(Subscription)
    found = 0
    for row in list(subscriptions.find({"silent_after": {"$lte": now}}).limit(_BATCH)):
        changes = {"silence_seconds": 2 * row["silence_seconds"]}
        taken = subscriptions.update_one(
            {"_id": row["_id"], "silent_after": row["silent_after"]},
            _with_silence(row["source"], changes, now),
        )
        if taken.modified_count and row["status"] == "active":
            states.request(row["user_id"], row["source"])
            metrics.SUBSCRIPTION_SILENCES.labels(row["source"]).inc()
            found += 1
    return found


def after_sync(report: SyncReport) -> None:
    """Look at what a sync has found beside what was pushed; called when a sync job ends.

    A change in a stream that was pushed before the previous sync began must
    have been told of since then.  The notification may be under way, so the
    subscription is only doubted for now.  New streams are subscribed to.
    """
    if report.source not in KINDS or report.outcome != "succeeded":
        return
    if report.streams_changed:
        request(report.user_id, report.source, report.tenant_id)
    since = _previous_start(report) if report.changed_streams else None
    if since is None:
        return
    collection(Subscription).update_many(
        {
            "user_id": report.user_id,
            "source": report.source,
            "stream": {"$in": list(report.changed_streams)},
            "status": "active",
            "live_since": {"$lt": since},
            "doubted_at": None,
            "$or": [{"last_event_at": None}, {"last_event_at": {"$lt": since}}],
        },
        {
            "$set": {
                "doubted_since": since,
                "doubted_at": datetime.now(UTC) + timedelta(seconds=DELIVERY_SECONDS),
            }
        },
    )


def _previous_start(report: SyncReport) -> datetime | None:
    """Return when the last sync but this one began of those that came to an end."""
    wanted = {"user_id": report.user_id, "source": report.source, "outcome": "succeeded"}
    runs = collection(SyncRun).find(wanted, {"started_at": 1}).sort("started_at", -1).limit(2)
    starts: list[datetime] = [run["started_at"] for run in runs]
    return starts[1] if len(starts) > 1 else None


def replace_silenced() -> int:
    """Replace the doubted subscriptions that have told of nothing still; returns how many."""
    now = datetime.now(UTC)
    found = 0
    doubted = collection(Subscription).find({"doubted_at": {"$lte": now}}).limit(_BATCH)
    for row in list(doubted):
        if _has_spoken(row):
            gone = {"doubted_at": "", "doubted_since": ""}
            collection(Subscription).update_one({"_id": row["_id"]}, {"$unset": gone})
        elif rows.doubt(row["_id"], "a change was found that had not been pushed", now):
            metrics.SUBSCRIPTION_GAPS.labels(row["source"]).inc()
            rows.settle(KINDS[row["source"]], row["user_id"])
            request(row["user_id"], row["source"], row["tenant_id"])
            found += 1
    return found


def _has_spoken(row: Row) -> bool:
    since, last = row["doubted_since"], row.get("last_event_at")
    if row["status"] != "active" or (last is not None and last >= since):
        return True
    # What came in may still wait for its job.
    waits = {"subscription_id": row["_id"], "open": True, "received_at": {"$gte": since}}
    return collection(WebhookDelivery).find_one(waits, {"_id": 1}) is not None
