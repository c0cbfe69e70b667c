"""What users are told because time has passed: stalls, pushes that fail, mail nobody looks at.

All of it is found by indexes, told once, and no more of it at a time than is bearable.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from models import Execution, Mailbox, StagedEmail, Subscription, SyncState, User
from models.staged_email import STAGED_OPEN
from pipeline.mailbox.folders import SOURCE
from pipeline.mailbox.hours import zone_of
from pipeline.mailbox.notifying import notify, retell
from pipeline.stores import Row, collection
from pipeline.words import counted

#: What one tick looks at, of each kind; the next goes on.
_AT_ONCE = 500
_LONGEST_LOOK_MS = 5000
#: A copy that should have been fresh so long ago has stalled.
_STALLED = timedelta(hours=6)
#: Stalls that are older have been told, or nobody was there to tell.
_STALLED_SINCE = timedelta(days=1)
#: A subscription that was asked for so often in vain, lately, fails.
_FAILURES = 3
_LATELY = timedelta(minutes=15)
#: Nobody has looked at staged mail for so long.
_UNSEEN = timedelta(days=7)
#: Statuses in which a state is synced without its user; the others wait for them.
_SYNCED = ("idle", "queued", "syncing", "rate_limited", "error")


def tick(now: datetime) -> int:
    """Tell users what is to be told by now, and return how many were.  Safe to run twice."""
    return sum(map(sum, (_stalls(now), _failed_pushes(now), _inactivity(now))))


def staged(mailbox: Row, now: datetime) -> None:
    """Note that mail of a mailbox was staged, which somebody should look at within a week."""
    collection(Mailbox).update_one(
        {"_id": mailbox["_id"], "staging_unseen_since": None},
        {"$set": {"staging_unseen_since": now}},
    )


def looked(mailbox: Row) -> None:
    """Note that the user has looked at the staged mail of a mailbox; an operator's look is none."""
    if mailbox.get("staging_unseen_since"):
        collection(Mailbox).update_one(
            {"_id": mailbox["_id"]}, {"$unset": {"staging_unseen_since": ""}}
        )


def rule_executed(mailbox: Row, now: datetime) -> bool:
    """Tell of what a user's rules have done today, in one notification that grows with it.

    For rules whose first executions were told one by one.  The count is that of the ledger, so
    that to tell it twice changes nothing.
    """
    user_id = str(mailbox["user_id"])
    user: Row = collection(User).find_one({"_id": user_id}, {"preferences": 1}) or {}
    day = now.astimezone(zone_of(user, mailbox)).replace(hour=0, minute=0, second=0, microsecond=0)
    done = {"user_id": user_id, "created_at": {"$gte": day}, "kind": "rule", "state": "done"}
    count = collection(Execution).count_documents(done)
    if not count:
        return False
    return retell(
        user_id,
        "rule_executed",
        f"rule_executed:{mailbox['_id']}:{day:%Y-%m-%d}",
        "What your rules did today",
        f"Your rules have acted on {counted(count, 'mail')} today.",
        related=("mailbox", str(mailbox["_id"])),
        priority="low",
        again=False,
    )


def _stalls(now: datetime) -> Iterator[bool]:
    """Tell of copies that have stalled, once per stall: it lasts as long as `stale_at` stays."""
    stalled: Row = {
        "source": SOURCE,
        "status": {"$in": list(_SYNCED)},
        "stale_at": {"$lte": now - _STALLED, "$gt": now - _STALLED - _STALLED_SINCE},
        "$expr": {"$ne": ["$stall_told_for", "$stale_at"]},
    }
    states = collection(SyncState)
    found = states.find(stalled, {"user_id": 1, "mailbox_id": 1, "stale_at": 1})
    for state in list(found.limit(_AT_ONCE).max_time_ms(_LONGEST_LOOK_MS)):
        yield notify(
            state["user_id"],
            "system",
            f"stalled:{state['_id']}:{state['stale_at']:%Y-%m-%dT%H:%M}",
            "Your mailbox is not up to date",
            "New mail has not been read for some hours. It is tried again by itself; rules will "
            "act on what has come meanwhile.",
            related=_mailbox(state),
        )
        told = {"$set": {"stall_told_for": state["stale_at"]}}
        states.update_one({"_id": state["_id"]}, told)


def _failed_pushes(now: datetime) -> Iterator[bool]:
    """Tell of mailboxes of which Microsoft does not tell us what changes, once for each."""
    failed = {
        "source": SOURCE,
        "status": "failed",
        "error_count": {"$gte": _FAILURES},
        "last_error.at": {"$gte": now - _LATELY},
    }
    rows = collection(Subscription).find(failed, {"user_id": 1, "mailbox_id": 1})
    for row in list(rows.limit(_AT_ONCE).max_time_ms(_LONGEST_LOOK_MS)):
        yield notify(
            row["user_id"],
            "system",
            f"push_failed:{row['_id']}",
            "New mail is noticed later",
            "Microsoft does not tell us of new mail in your mailbox just now. It is looked for "
            "every few minutes instead, so that rules act a little later.",
            related=_mailbox(row),
            priority="low",
        )


def _inactivity(now: datetime) -> Iterator[bool]:
    """Tell who has staged mail and has not looked at any for a week; again a week later."""
    unseen = {"staging_unseen_since": {"$lte": now - _UNSEEN}}
    for mailbox in list(collection(Mailbox).find(unseen).limit(_AT_ONCE)):
        since = mailbox["staging_unseen_since"]
        unchanged = {"_id": mailbox["_id"], "staging_unseen_since": since}
        waits = {"mailbox_id": mailbox["_id"], "status": {"$in": list(STAGED_OPEN)}}
        count = collection(StagedEmail).count_documents(waits)
        if count:
            yield notify(
                mailbox["user_id"],
                "inactivity_warning",
                f"unseen:{mailbox['_id']}:{since:%Y-%m-%dT%H:%M}",
                "Nobody has looked at staged mail for a week",
                f"Your rules go on to delete mail; {counted(count, 'mail')} "
                f"{'waits' if count == 1 else 'wait'} for that now. Look whether that is right.",
                related=("mailbox", str(mailbox["_id"])),
            )
        # The next mail that is staged sets it anew, if none waits now.
        seen = {"$set": {"staging_unseen_since": now}} if count else _UNSET
        collection(Mailbox).update_one(unchanged, seen)


_UNSET: Row = {"$unset": {"staging_unseen_since": ""}}


def _mailbox(row: Row) -> tuple[str, str] | None:
    return ("mailbox", str(row["mailbox_id"])) if row.get("mailbox_id") else None
