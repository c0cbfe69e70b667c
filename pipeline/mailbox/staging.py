"""Staged mail, for its user: return it, execute it now, see what waits.

Both are claimed first, so that of two who ask at once one wins, and then done at once if
nobody else acts on the mailbox for long; what is not done by then, the worker finishes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from pymongo import ASCENDING, DESCENDING

from models import Execution, StagedEmail
from models.staged_email import STAGED_OPEN
from pipeline.dispatch import send
from pipeline.errors import Gone, Permanent, RateLimited
from pipeline.mailbox import audit, performing, staged_rows
from pipeline.mailbox.checks import objection
from pipeline.mailbox.holding import Hold, held
from pipeline.stores import Row, collection

#: How long a person who asks waits for the worker to be done with the mailbox.
PATIENCE_SECONDS = 10.0
#: The most mails that one request may be about.
MOST_AT_ONCE = 500
_USUALLY = {
    "expired": "it is not in the staging folder any more",
    "executing": "under way",
    "rescuing": "under way",
}


class Outcome(NamedTuple):
    """What became of one staged mail: its status now, and why it is not what was asked for."""

    staged_id: str
    status: str
    reason: str = ""


def rescue(user_id: str, staged_id: str, by: str) -> Outcome:
    """Return staged mail to the folder that it came from, or the inbox if that is gone.

    Raises Gone if there is none, Permanent if it is being executed or over.
    """
    return _one(user_id, staged_id, "rescue", by)


def execute_now(user_id: str, staged_id: str, by: str) -> Outcome:
    """Do what staged mail waits for without waiting any longer.

    Raises Gone if there is none, Permanent if it is being returned or over, or if the
    user has paused automation, or whitelisted its sender.
    """
    return _one(user_id, staged_id, "execute", by)


def rescue_many(user_id: str, staged_ids: Sequence[str], by: str) -> list[Outcome]:
    """Return several staged mails; what is refused of one does not keep back the others."""
    return _many(user_id, staged_ids, "rescue", by)


def execute_many(user_id: str, staged_ids: Sequence[str], by: str) -> list[Outcome]:
    """Execute several staged mails; what is refused of one does not keep back the others."""
    return _many(user_id, staged_ids, "execute", by)


def release_rule(user_id: str | None, rule_id: str, by: str = audit.SCHEDULE) -> int:
    """Have all mail returned that a rule, which is gone now, had staged; return how many.

    Without a user it is a rule of a tenant: that of all its users.
    """
    wanted: Row = {"rule_id": rule_id, "status": "staged"}
    wanted |= {"user_id": user_id} if user_id else {}
    fields = {"user_id": 1, "mailbox_id": 1, "tenant_id": 1}
    released, whose = 0, {}
    for row in collection(StagedEmail).find(wanted, fields):
        try:
            staged_rows.claim(row["user_id"], str(row["_id"]), "rescue", by, datetime.now(UTC))
        except (Gone, Permanent):  # somebody else was faster
            continue
        released += 1
        whose[row["mailbox_id"]] = row | {"_id": row["mailbox_id"]}
    for mailbox in whose.values():
        _leave_to_worker(mailbox)
    return released


def listed(
    user_id: str,
    *,
    mailbox_id: str = "",
    statuses: Sequence[str] = STAGED_OPEN,
    limit: int = 100,
    skip: int = 0,
) -> list[Row]:
    """Return a user's staged mail: what waits by when it ends, what is over newest first."""
    wanted: Row = {"user_id": user_id, "status": {"$in": list(statuses)}}
    wanted |= {"mailbox_id": mailbox_id} if mailbox_id else {}
    waits = set(statuses) <= set(STAGED_OPEN)
    order = ("expires_at", ASCENDING) if waits else ("updated_at", DESCENDING)
    return list(collection(StagedEmail).find(wanted).sort([order]).skip(skip).limit(limit))


def finish_claimed(mailbox: Row, execution_ids: Sequence[str]) -> None:
    """Do what was claimed, all within one hold of the mailbox; leave the rest to the worker.

    `mailbox` has `_id`, `user_id` and `tenant_id`.  Raises ReauthRequired and Misconfigured.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    with (
        held(mailbox["_id"], wait_seconds=PATIENCE_SECONDS) as hold,
        suppress(RateLimited),  # put off; the worker goes on when there is quota again
    ):
        for execution_id in execution_ids if hold else ():
            if hold is None or time.monotonic() > until:
                break
            performing.attempt(hold, execution_id)
    left = {"_id": {"$in": list(execution_ids)}, "due_at": {"$exists": True}}
    if collection(Execution).count_documents(left, limit=1):
        _leave_to_worker(mailbox)


def _one(user_id: str, staged_id: str, kind: str, by: str) -> Outcome:
    mailbox, execution_id = _claimed(user_id, staged_id, kind, by)
    finish_claimed(mailbox, [execution_id])
    return _outcome(user_id, staged_id)


def _many(user_id: str, staged_ids: Sequence[str], kind: str, by: str) -> list[Outcome]:
    if len(staged_ids) > MOST_AT_ONCE:
        raise Permanent(f"at most {MOST_AT_ONCE} at once")
    wanted = list(dict.fromkeys(staged_ids))
    refused: dict[str, Outcome] = {}
    claimed: dict[str, tuple[Row, list[str]]] = {}
    for staged_id in wanted:
        try:
            mailbox, execution_id = _claimed(user_id, staged_id, kind, by)
        except (Gone, Permanent) as why:
            refused[staged_id] = Outcome(staged_id, "refused", str(why))
        else:
            claimed.setdefault(mailbox["_id"], (mailbox, []))[1].append(execution_id)
    for mailbox, execution_ids in claimed.values():
        finish_claimed(mailbox, execution_ids)
    return [refused.get(staged_id) or _outcome(user_id, staged_id) for staged_id in wanted]


def _claimed(user_id: str, staged_id: str, kind: str, by: str) -> tuple[Row, str]:
    """Claim staged mail; return its mailbox and the id of the execution."""
    row, now = staged_rows.find(user_id, staged_id), datetime.now(UTC)
    _refuse_what_is_guarded(row, kind, now)
    mailbox = {"_id": row["mailbox_id"], "user_id": user_id, "tenant_id": row["tenant_id"]}
    return mailbox, staged_rows.claim(user_id, staged_id, kind, by, now)


def _outcome(user_id: str, staged_id: str) -> Outcome:
    row = staged_rows.find(user_id, staged_id)
    status = str(row["status"])
    return Outcome(staged_id, status, str(row.get("error") or _USUALLY.get(status, "")))


def _refuse_what_is_guarded(row: Row, kind: str, now: datetime) -> None:
    """Raise Permanent if the kill switch, a whitelist or the rule's end forbids to execute,
    or the mailbox is not connected."""
    view = Hold.to_look(row["mailbox_id"])
    against = objection(view, kind, row["rule_id"], lambda: str(row["sender_email"]), now)
    if against is not None:
        done = "executed" if kind == "execute" else "returned"
        raise Permanent(f"it is not {done}: {against.reason}")


def _leave_to_worker(mailbox: Row) -> None:
    send("work_mailbox", mailbox["user_id"], mailbox["_id"], tenant_id=mailbox["tenant_id"])
