"""Whose mail is analyzed tonight: everyone's at 02:00 of the own clock, a little apart.

A mailbox is due by a time of its own, which moves to the next night only once the analysis is
done.  So a job that is lost is sent again, and a night without workers is made up for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from hashlib import blake2b

from models import DEFAULT_TENANT, Mailbox, User
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.errors import Transient
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.mailbox.hours import zone_of
from pipeline.mailbox.patterns import lifecycle
from pipeline.mailbox.patterns.analysis import Analysed, analyze
from pipeline.queues import PATTERN_ANALYSIS
from pipeline.stores import Row, collection

#: By then a user's day is over, and none of the next has begun.
NIGHTLY_AT = time(2)
#: Mailboxes of a zone are analyzed within so long, not all at once.
SPREAD_MINUTES = 30
_BATCH = 500


def next_analysis(now: datetime, zone: tzinfo, key: str) -> datetime:
    """Return the first moment after `now` at which the mailbox `key` is analyzed.

    There is one on every local day.  Where clocks skip 02:00, it is what would have been
    02:00; where they show it twice, it is the first time.
    """
    spread = timedelta(minutes=_spread(key))
    day = (now - spread).astimezone(zone).date() - timedelta(days=1)
    while (moment := _nightly(day, zone) + spread) <= now:
        day += timedelta(days=1)
    return moment


def _nightly(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, NIGHTLY_AT, tzinfo=zone).astimezone(UTC)


def _spread(key: str) -> float:
    digest = blake2b(key.encode(), digest_size=8).digest()
    return SPREAD_MINUTES * int.from_bytes(digest, "big") / 2**64


def queue_due() -> str:
    """Send a job for every mailbox that is due, until enough wait; returns how many, in words."""
    queued = already = 0
    while depth(PATTERN_ANALYSIS.name).waiting < settings().dispatch_high_water:
        batch = _take_due(datetime.now(UTC))
        if not batch:
            break
        sent = send_many(map(_analysis_of, batch))
        queued += sum(one.created for one in sent)
        already += sum(not one.created for one in sent)
    return f"{queued:,} queued, {already:,} queued before"


def carry_out(user_id: str, mailbox_id: str) -> Analysed:
    """Analyze a mailbox, and plan its next night.  Safe to run twice.

    It is planned too if the analysis fails in a way that does not pass by itself.
    """
    now = datetime.now(UTC)
    try:
        done = analyze(user_id, mailbox_id, now)
        lifecycle.delete_orphans(user_id, mailbox_id)
    except Transient:
        raise
    except Exception:
        _plan(mailbox_id, {}, now)
        raise
    _plan(mailbox_id, {"analysed_at": now}, now)
    return done


def _plan(mailbox_id: str, changes: Row, now: datetime) -> None:
    """Set when a mailbox is analyzed next, unless it was closed."""
    connected = {"_id": mailbox_id, "is_connected": True}
    mailbox = collection(Mailbox).find_one(connected, {"user_id": 1, "time_zone": 1})
    if mailbox is not None:
        user = collection(User).find_one({"_id": mailbox["user_id"]}, {"preferences": 1}) or {}
        due = next_analysis(now, zone_of(user, mailbox), mailbox_id)
        collection(Mailbox).update_one(connected, {"$set": changes | {"analysis_due_at": due}})


def _take_due(now: datetime) -> list[Row]:
    """Return up to a batch of mailboxes that are due, longest due first.

    They are due again after REQUEUE_AFTER_SECONDS, unless they were analyzed by then.
    """
    mailboxes = collection(Mailbox)
    wanted = {"analysis_due_at": {"$lte": now}}
    fields = {"user_id": 1, "tenant_id": 1}
    due = list(mailboxes.find(wanted, fields).sort("analysis_due_at", 1).limit(_BATCH))
    again = now + timedelta(seconds=settings().requeue_after_seconds)
    mailboxes.update_many(
        # The second condition spares what was analyzed since it was found.
        {"_id": {"$in": [one["_id"] for one in due]}} | wanted,
        {"$set": {"analysis_due_at": again}},
    )
    return due


def _analysis_of(mailbox: Row) -> Send:
    tenant_id = mailbox.get("tenant_id") or DEFAULT_TENANT
    return Send("analyze_patterns", (mailbox["user_id"], mailbox["_id"]), tenant_id=tenant_id)
