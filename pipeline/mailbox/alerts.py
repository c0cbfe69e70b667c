"""Telling users of staged mail: once an hour that there is some, and before it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from models import StagedEmail
from pipeline.mailbox import notifying, warning
from pipeline.mailbox.holding import Hold
from pipeline.stores import Row, collection
from pipeline.words import counted

_BATCHED_FOR = timedelta(hours=1)


def tell_of_staged(hold: Hold, now: datetime) -> None:
    """Tell the user how many mails were staged in this hour, in one notification."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    since = {"$gte": hour, "$lt": hour + _BATCHED_FOR}
    staged = {"mailbox_id": hold.mailbox_id, "status": "staged", "staged_at": since}
    count = collection(StagedEmail).count_documents(staged)
    if count:
        warning.staged(hold.mailbox, now)
        notifying.retell(
            hold.user_id,
            "staging_alert",
            f"staged:{hold.mailbox_id}:{hour:%Y-%m-%dT%H}",
            "Mail waits to be deleted",
            f"{counted(count, 'mail')} will be deleted by your rules unless you keep "
            f"{'it' if count == 1 else 'them'}.",
            related=("mailbox", hold.mailbox_id),
        )


def remind(hold: Hold, rows: Sequence[Row]) -> None:
    """Tell the user, in one notification, that these are about to be deleted."""
    if not rows:
        return
    last = max(str(row["_id"]) for row in rows)
    notifying.notify(
        hold.user_id,
        "staging_alert",
        f"expiring:{hold.mailbox_id}:{last}",
        "Mail is about to be deleted",
        f"{counted(len(rows), 'mail')} will be deleted within two hours unless you keep "
        f"{'it' if len(rows) == 1 else 'them'}.",
        related=("mailbox", hold.mailbox_id),
        priority="high",
    )
