"""Working through a mailbox: what rules are to do, what was claimed, what has waited enough.

Bounded, so that a mailbox with much to do does not keep a worker from the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from models import DEFAULT_TENANT, Execution, Mailbox, StagedEmail
from pipeline.config import settings
from pipeline.dispatch import BATCH, send_many
from pipeline.errors import Misconfigured, Permanent, ReauthRequired, Unfinished
from pipeline.jobs.current import summarize
from pipeline.jobs.reading import depth
from pipeline.jobs.sending import Send
from pipeline.mailbox import (
    alerts,
    checks,
    guards,
    ledger,
    mailboxes,
    mirroring,
    performing,
    staged_due,
    warning,
)
from pipeline.mailbox.holding import Hold, held
from pipeline.queues import STAGING_PROCESSOR
from pipeline.stores import Row, collection
from pipeline.words import counted

#: One job does no more than this; another goes on, behind those of other mailboxes.
MOST_AT_ONCE = 100
MOST_SECONDS = 30.0
#: A person's request holds a mailbox for seconds.
_BUSY_SECONDS = 2.0


@dataclass(slots=True)
class Worked:
    """What one look at a mailbox came to."""

    executions: int = 0
    staged: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)

    @property
    def is_enough(self) -> bool:
        """Whether the rest is for another job."""
        done = self.executions + self.staged
        return done >= MOST_AT_ONCE or time.monotonic() >= self.until

    def __str__(self) -> str:
        return f"{counted(self.executions, 'execution')}, {self.staged:,} staged looked at"


def work(user_id: str, mailbox_id: str) -> str:
    """Do what is due in a mailbox, and return what that was, in words.  Safe to run twice.

    Raises Unfinished if more is left or somebody else acts on the mailbox, Gone if there is
    none, and what concerns all of it: RateLimited, ReauthRequired, Misconfigured.
    """
    if mailboxes.find(mailbox_id)["user_id"] != user_id:
        raise Permanent("this mailbox belongs to another user")
    with held(mailbox_id) as hold:
        if hold is None:
            raise Unfinished(_BUSY_SECONDS)
        try:
            return _work(hold)
        except (ReauthRequired, Misconfigured) as error:
            now = datetime.now(UTC)
            ledger.put_off(mailbox_id, now + performing.LOOK_AGAIN, str(error), now)
            raise


def queue_due() -> str:
    """Send a job for every mailbox in which something is due, until enough wait."""
    queued = already = 0
    for batch in _batches():
        sent = send_many(map(_work_in, batch))
        queued += sum(one.created for one in sent)
        already += sum(not one.created for one in sent)
        if depth(STAGING_PROCESSOR.name).waiting >= settings().dispatch_high_water:
            break
    told = warning.tick(datetime.now(UTC))
    return f"{queued:,} queued, {already:,} queued before; {counted(told, 'user')} told"


def _work(hold: Hold) -> str:
    now = datetime.now(UTC)
    worked = Worked()
    _heed_what_changed(hold, now)
    put_off = _put_off_what_may_not_be(hold, now)
    try:
        _do_what_is_due(hold, worked, now)
    finally:  # what was done is told, also if there is no quota for the rest
        _tell(hold, now)
    mirroring.reconcile(hold)
    if worked.is_enough and _is_due(hold.mailbox_id):
        summarize(str(worked))
        raise Unfinished
    return f"{worked}; {put_off}" if put_off else str(worked)


def _do_what_is_due(hold: Hold, worked: Worked, now: datetime) -> None:
    for execution_id in ledger.due(hold.mailbox_id, now, MOST_AT_ONCE):
        worked.executions += performing.attempt(hold, execution_id)
        if worked.is_enough:
            return
    worked.staged = staged_due.look(hold, MOST_AT_ONCE - worked.executions, worked.until)


def _tell(hold: Hold, now: datetime) -> None:
    if hold.staged:
        alerts.tell_of_staged(hold, now)
    if hold.untold:
        warning.rule_executed(hold.mailbox, now)


def _put_off_what_may_not_be(hold: Hold, now: datetime) -> str | None:
    """Put off at once all that a pause or a lost grant keeps from being done; return why."""
    again = now + performing.LOOK_AGAIN
    reason = checks.why_unreachable(hold)
    if reason:
        # Staged mail that was claimed goes back to what its user may claim.
        ledger.put_off(hold.mailbox_id, again, reason, now, besides=("execute",))
        return reason
    reason = guards.why_paused(hold.user, hold.mailbox)
    if reason:
        others, since = ("execute", *checks.UNGUARDED), checks.LONGEST_PAUSE
        ledger.put_off(hold.mailbox_id, again, reason, now, besides=others, since=since)
    return reason


def _heed_what_changed(hold: Hold, now: datetime) -> None:
    """Let go on what was put off, if something has changed since that may allow it."""
    since = hold.mailbox.get("work_due_at")
    if since is None or since > now:
        return
    ledger.wake(hold.mailbox_id, now)
    collection(Mailbox).update_one(
        {"_id": hold.mailbox_id, "work_due_at": since}, {"$unset": {"work_due_at": ""}}
    )


def _is_due(mailbox_id: str) -> bool:
    now = datetime.now(UTC)
    return bool(ledger.due(mailbox_id, now, 1)) or bool(staged_due.due(mailbox_id, now, 1))


def _batches() -> Iterator[list[Row]]:
    """Yield the mailboxes in which something is due, in batches."""
    now = datetime.now(UTC)
    for found in (_due_in(Execution, now), _due_in(StagedEmail, now), _changed(now)):
        batch: list[Row] = []
        for mailbox in found:
            batch.append(mailbox)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _due_in(model: type[Execution | StagedEmail], now: datetime) -> Iterator[Row]:
    """Yield the mailboxes of rows that are due, those that have been for longest first."""
    mailbox = {
        "_id": "$mailbox_id",
        "user_id": {"$first": "$user_id"},
        "tenant_id": {"$first": "$tenant_id"},
        "due_at": {"$min": "$due_at"},
    }
    stages: list[Row] = [
        {"$match": {"due_at": {"$lte": now}}},
        {"$group": mailbox},
        {"$sort": {"due_at": 1}},
    ]
    yield from collection(model).aggregate(stages, allowDiskUse=True)


def _changed(now: datetime) -> Iterator[Row]:
    """Yield the mailboxes of which something has changed that may let go on what was put off."""
    fields = {"user_id": 1, "tenant_id": 1}
    yield from collection(Mailbox).find({"work_due_at": {"$lte": now}}, fields)
    yield from mirroring.differing(now)


def _work_in(mailbox: Row) -> Send:
    tenant_id = mailbox.get("tenant_id") or DEFAULT_TENANT
    return Send("work_mailbox", (mailbox["user_id"], mailbox["_id"]), tenant_id=tenant_id)
