"""Clearing a mailbox that is left: nothing of ours stays in it that nobody would look after.

Staged mail goes back to where it was, and the inbox rules that mirror ours are removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from models import Execution, StagedEmail
from models.staged_email import STAGED_OPEN
from pipeline.errors import Misconfigured, Permanent, ReauthRequired, Transient
from pipeline.mailbox import audit, ledger, mailboxes, mirroring, performing, staged_rows
from pipeline.mailbox.holding import Hold, held
from pipeline.stores import Row, collection

#: One call does no more than this; the next goes on.
MOST_SECONDS = 60.0
#: How long to wait for whoever acts on the mailbox.
_WAIT_SECONDS = 10.0
_WHY = "the mailbox was disconnected"


def clear(user_id: str) -> None:
    """Clear a user's mailbox while its credentials still serve; safe to repeat.

    Does nothing if they do not.  Raises RateLimited and Transient if more is left to be done.
    """
    mailbox = mailboxes.of_user(user_id)
    if mailbox is None or not (mailbox.get("mirrored") or _waits(mailbox["_id"])):
        return
    with held(mailbox["_id"], wait_seconds=_WAIT_SECONDS, leaving=True) as hold:
        if hold is None:
            raise Transient("somebody else acts on the mailbox")
        try:
            _clear(hold)
        except (ReauthRequired, Misconfigured):  # whoever connects it again goes on from here
            return
    if _waits(mailbox["_id"]):
        raise Transient("not all staged mail was returned yet")


def _clear(hold: Hold) -> None:
    mirroring.clear(hold)
    until = time.monotonic() + MOST_SECONDS
    for execution_id in _claimed(hold):
        performing.attempt(hold, execution_id)
        if time.monotonic() >= until:
            return


def _claimed(hold: Hold) -> Iterator[str]:
    """Yield what was claimed before, which may go back to what waits, and then what waits."""
    of_staged = {"mailbox_id": hold.mailbox_id, "staged_id": {"$gt": ""}}
    begun: Row = of_staged | {"state": {"$in": list(ledger.OPEN)}}
    yield from [str(row["_id"]) for row in collection(Execution).find(begun, {"_id": 1})]
    waiting = {"mailbox_id": hold.mailbox_id, "status": "staged"}
    for row in list(collection(StagedEmail).find(waiting, {"_id": 1})):
        now, staged_id = datetime.now(UTC), str(row["_id"])
        try:
            yield staged_rows.claim(hold.user_id, staged_id, "rescue", audit.SCHEDULE, now, _WHY)
        except Permanent:  # its user was faster
            continue


def _waits(mailbox_id: str) -> bool:
    open_rows = {"mailbox_id": mailbox_id, "status": {"$in": list(STAGED_OPEN)}}
    return collection(StagedEmail).count_documents(open_rows, limit=1) > 0
