"""Finding mail that is due, mail of dead workers, what users are told, and their digests."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline import dispatch
from pipeline.jobs.sending import Send
from pipeline.platform.email import deliveries, digests, notifications
from pipeline.words import counted

#: Of each kind, in one tick; the rest is found by the next.
MOST_AT_ONCE = 1000


def find() -> str:
    """Queue what is due; say how many.  Raises redis.RedisError."""
    now = datetime.now(UTC)
    unknown, again = deliveries.orphans(now, MOST_AT_ONCE)
    mails = again + deliveries.due(now, MOST_AT_ONCE)
    users = digests.due(now, MOST_AT_ONCE)
    sends = [Send("send_email", (row["_id"],), tenant_id=row["tenant_id"]) for row in mails]
    sends += [
        Send("mail_notification", (str(row["_id"]),), tenant_id=row["tenant_id"])
        for row in notifications.due(now, MOST_AT_ONCE)
    ]
    sends += [
        Send("make_digest", (user["_id"],), tenant_id=user.get("tenant_id") or "") for user in users
    ]
    sent = dispatch.send_many(sends)
    queued = counted(sum(one.created for one in sent), "job")
    return f"{queued} queued of {len(sent):,} due, {counted(unknown, 'mail')} not known to be sent"
