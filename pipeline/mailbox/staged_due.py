"""Staged mail whose time has come: executed within working hours, unless something forbids it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from pipeline.errors import Permanent
from pipeline.mailbox import alerts, audit, performing, staged_rows
from pipeline.mailbox.checks import objection
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.staged_rows import ALERT_BEFORE, due
from pipeline.stores import Row

__all__ = ["due", "look"]


def look(hold: Hold, limit: int, until: float) -> int:
    """Look at a mailbox's staged mail that is due; return at how many.

    `until` is when to stop, by the monotonic clock.
    """
    looked_at, reminded = 0, []
    try:
        for row in due(hold.mailbox_id, datetime.now(UTC), limit):
            reminded += _look_at(hold, row)
            looked_at += 1
            if time.monotonic() >= until:
                break
    finally:  # what is to be told does not wait for the quota that another mail lacks
        alerts.remind(hold, reminded)
    return looked_at


def _look_at(hold: Hold, row: Row) -> list[Row]:
    """Execute, return or leave one mail; return it if its user is to be reminded of it."""
    now = datetime.now(UTC)
    moment = staged_rows.execution_time(row["expires_at"], hold.user, hold.mailbox, now)
    if moment > now:
        return [row] if _is_reminded(row, moment, now) else []
    against = objection(hold, "execute", row["rule_id"], lambda: str(row["sender_email"]), now)
    if against is None:
        _claim(hold, row, "execute")
    elif against.passes:
        staged_rows.look_again(row, now + performing.LOOK_AGAIN, now, error=against.reason)
    else:
        _claim(hold, row, "rescue", against.reason)
    return []


def _is_reminded(row: Row, moment: datetime, now: datetime) -> bool:
    """Set when to look next: to remind its user, then to execute it."""
    remind_at = moment - ALERT_BEFORE
    if row.get("alerted_at") is None and remind_at <= now:
        return staged_rows.look_again(row, moment, now, alerted_at=now)
    soon = now + timedelta(seconds=1)
    at = moment if row.get("alerted_at") else max(remind_at, soon)
    staged_rows.look_again(row, at, now)
    return False


def _claim(hold: Hold, row: Row, kind: str, reason: str = "") -> None:
    try:
        execution_id = staged_rows.claim(
            hold.user_id, str(row["_id"]), kind, audit.SCHEDULE, datetime.now(UTC), reason
        )
    except Permanent:  # its user was faster
        return
    performing.attempt(hold, execution_id)
