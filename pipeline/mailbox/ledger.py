"""The ledger of what is done to mail: a row before the act, its outcome after.

A row is claimed under the mailbox's lease, whose fence it then carries; every later write
of it is conditional on that fence, so that a process that was stopped and wakes up writes
nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession

from models import DEFAULT_TENANT, Execution, StagedEmail
from pipeline.config import settings
from pipeline.errors import LeaseLost
from pipeline.mailbox.deeds import MOVES
from pipeline.stores import Row, collection

#: States in which something is left to do.
OPEN = ("pending", "executing")
#: A row that was claimed and not heard of for so long is looked at again.
CLAIM_SECONDS = 60.0
#: What a rule's action needs to know.
_PARAMS = ("to_folder", "category", "forward_to", "popup_message")


def planned(
    rule: Row, mail_item: Mapping[str, Any], mailbox: Row, now: datetime, kind: str = "rule"
) -> Row:
    """Return the row for what `rule` is to do to a mail, as landed; due now.

    Its id is the same for the same rule and mail: `add` keeps the first.  `kind` is
    `run_now` where a user has the rule run on mail that is there already.
    """
    rule_id, message_id = str(rule["_id"]), str(mail_item["id"])
    steps = steps_of(rule)
    first_move = next((step for step in steps if step["action_type"] in MOVES), None)
    if first_move and mail_item.get("parentFolderId"):
        # What its user has filed by then stays where they put it.
        first_move["params"]["from_folder"] = mail_item["parentFolderId"]
    row = new_row(
        f"{kind}:{rule_id}:{mailbox['_id']}:{message_id}",
        kind,
        mailbox,
        message_id,
        steps,
        now,
    )
    return row | {
        "rule_id": rule_id,
        "internet_message_id": str(mail_item.get("internetMessageId") or ""),
    }


def steps_of(rule: Row) -> list[Row]:
    """Return what a rule does, in its order: what has none comes last.

    What it deletes is staged first, unless the rule says otherwise.
    """
    actions = enumerate(rule.get("actions") or ())
    in_order = sorted(
        actions, key=lambda one: (one[1].get("order") is None, _order(one[1]), one[0])
    )
    return [_step_of(action, bool(rule.get("skip_staging"))) for _, action in in_order]


def new_row(
    execution_id: str,
    kind: str,
    mailbox: Row,
    message_id: str,
    steps: Sequence[Row],
    now: datetime,
) -> Row:
    """Return a row of the ledger, pending and due now."""
    return {
        "_id": execution_id,
        "kind": kind,
        "user_id": mailbox["user_id"],
        "tenant_id": mailbox.get("tenant_id") or DEFAULT_TENANT,
        "mailbox_id": mailbox["_id"],
        "message_id": message_id,
        "state": "pending",
        "steps": list(steps),
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }


def new_step(action_type: str, order: int = 0, **params: Any) -> Row:
    """Return a step that is to be done."""
    return {"action_type": action_type, "order": order, "params": params, "state": "pending"}


def add(rows: Iterable[Row], session: ClientSession | None = None) -> int:
    """Add the rows that are not there yet, and return how many those were."""
    writes = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True) for row in rows]
    if not writes:
        return 0
    done = collection(Execution).bulk_write(writes, ordered=False, session=session)
    return done.upserted_count


def due(mailbox_id: str, now: datetime, limit: int) -> list[str]:
    """Return the ids of what is due in a mailbox, longest due first."""
    wanted = {"mailbox_id": mailbox_id, "due_at": {"$lte": now}}
    found = collection(Execution).find(wanted, {"_id": 1}).sort("due_at", ASCENDING).limit(limit)
    return [str(row["_id"]) for row in found]


def claim(execution_id: str, fence: int, now: datetime) -> Row | None:
    """Claim a row for whoever holds the mailbox's lease; None if nothing is left to do.

    It costs an attempt, which `postpone` may give back.
    """
    return collection(Execution).find_one_and_update(
        {"_id": execution_id, "state": {"$in": list(OPEN)}, "fence": {"$not": {"$gt": fence}}},
        {
            "$set": {
                "state": "executing",
                "fence": fence,
                "due_at": now + timedelta(seconds=CLAIM_SECONDS),
                "updated_at": now,
            },
            "$inc": {"attempts": 1},
        },
        return_document=ReturnDocument.AFTER,
    )


def write_step(execution: Row, index: int, changes: Row, now: datetime) -> None:
    """Set fields of one step, here and in the ledger.

    Raises LeaseLost if the row was claimed by somebody else since.
    """
    patch = {f"steps.{index}.{name}": value for name, value in changes.items()}
    _write(execution, {"$set": patch | {"updated_at": now}})
    execution["steps"][index] |= changes


def postpone(
    execution: Row, until: datetime, reason: str, now: datetime, *, free: bool = False
) -> None:
    """Put a claimed row off; `free` gives the attempt back.  Raises LeaseLost."""
    fresh = {"state": "pending", "due_at": until, "reason": reason, "updated_at": now}
    _write(execution, {"$set": fresh} | ({"$inc": {"attempts": -1}} if free else {}))


def close(
    execution: Row, state: str, reason: str, now: datetime, session: ClientSession | None = None
) -> None:
    """End a claimed row.  Raises LeaseLost if it was claimed by somebody else since."""
    _write(execution, {"$set": over(state, reason, now), "$unset": {"due_at": ""}}, session)


def over(state: str, reason: str, now: datetime) -> Row:
    """Return what is set of a row that is over: it is kept for as long as the audit."""
    kept = timedelta(days=settings().mail_audit_retention_days)
    return {"state": state, "reason": reason, "updated_at": now, "expires_at": now + kept}


def forget(execution: Row, session: ClientSession) -> None:
    """Delete a claimed row of which nothing was done.  Raises LeaseLost."""
    if not collection(Execution).delete_one(_mine(execution), session=session).deleted_count:
        raise LeaseLost("somebody else has claimed this execution")


def wake(mailbox_id: str, now: datetime) -> None:
    """Make everything due now that was put off in a mailbox."""
    later = {"mailbox_id": mailbox_id, "due_at": {"$gt": now}}
    # What has failed in passing keeps its time.
    waits = {"state": "pending", "attempts": {"$lte": 0}}
    collection(Execution).update_many(later | waits, {"$set": {"due_at": now}})
    collection(StagedEmail).update_many(
        later | {"status": "staged", "expires_at": {"$lte": now}}, {"$set": {"due_at": now}}
    )


def put_off(
    mailbox_id: str,
    until: datetime,
    reason: str,
    now: datetime,
    *,
    besides: Sequence[str] = (),
    since: timedelta | None = None,
) -> None:
    """Put off all that is due in a mailbox and nobody has begun, and its staged mail.

    Not what is of the kinds `besides`, nor what was planned longer ago than `since`.
    """
    late = {"due_at": until, "updated_at": now}
    due = {"mailbox_id": mailbox_id, "due_at": {"$lte": now}}
    pending: Row = due | {"state": "pending", "kind": {"$nin": list(besides)}}
    pending |= {"created_at": {"$gt": now - since}} if since else {}
    collection(Execution).update_many(pending, {"$set": late | {"reason": reason}})
    collection(StagedEmail).update_many(
        due | {"status": "staged"}, {"$set": late | {"error": reason}}
    )


def _write(execution: Row, update: Row, session: ClientSession | None = None) -> None:
    done = collection(Execution).update_one(_mine(execution), update, session=session)
    if not done.matched_count:
        raise LeaseLost("somebody else has claimed this execution")


def _mine(execution: Row) -> Row:
    return {"_id": execution["_id"], "state": "executing", "fence": execution["fence"]}


def _step_of(action: Row, skip_staging: bool) -> Row:
    kind = str(action["action_type"])
    staged = kind == "delete" and not skip_staging
    params = {name: action[name] for name in _PARAMS if action.get(name)}
    return new_step("stage" if staged else kind, _order(action), **params)


def _order(action: Row) -> int:
    return int(action.get("order") or 0)
