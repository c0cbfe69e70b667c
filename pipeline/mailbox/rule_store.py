"""Rules in MongoDB: found, written with their audit in one transaction, and ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.client_session import ClientSession

from models import Execution, Rule
from pipeline.errors import Gone, Transient
from pipeline.mailbox import ledger
from pipeline.refusals import Refused
from pipeline.stores import Row, collection, mongodb

T = TypeVar("T")

#: Rules of the same priority have an order too: the older first.
IN_ORDER = [("priority", ASCENDING), ("_id", ASCENDING)]
#: Edits of one rule that are tried before somebody else's get in.
_TRIES = 5


def transaction(work: Callable[[ClientSession], T]) -> T:
    """Do `work` all or not at all; it may be repeated."""
    with mongodb().client.start_session() as session:
        return session.with_transaction(work)


def object_id(text: str) -> ObjectId:
    """Return the `_id` that `text` is.  Raises Gone: nothing has another."""
    try:
        return ObjectId(text)
    except (InvalidId, TypeError):
        raise Gone("there is no such rule") from None


def find(whose: Row, rule_id: str) -> Row:
    """Return a rule of those that match `whose`.  Raises Gone if it is none of them."""
    row = collection(Rule).find_one({**whose, "_id": object_id(rule_id)})
    if row is None:
        raise Gone("there is no such rule")
    return row


def in_order(whose: Row) -> list[Row]:
    """Return the rules that match `whose`, first to last."""
    return list(collection(Rule).find(whose).sort(IN_ORDER))


def next_priority(whose: Row, session: ClientSession) -> int:
    """Return the priority of a rule that comes after all that match `whose`."""
    last = collection(Rule).find_one(whose, sort=[("priority", DESCENDING)], session=session)
    return int(last["priority"]) + 1 if last else 0


def change(
    whose: Row,
    rule_id: str,
    edit: Callable[[Row], Row],
    version: int | None,
    also: Callable[[Row, ClientSession], None],
) -> Row:
    """Set what `edit` makes of a rule, and do `also` with it; return the rule as it then is.

    With `version`, only if the rule still has it; else an edit of somebody else that comes
    in between is kept, and this one is made of what it left.  Raises Gone, Refused.
    """
    for _ in range(_TRIES):
        before = find(whose, rule_id)
        has = before.get("version") or 0
        if version is not None and version != has:
            raise Refused("version", "the rule was changed meanwhile: look at it again")
        patch = edit(before)
        after = before | patch | {"version": has + 1}

        def write(session: ClientSession, before: Row = before, after: Row = after) -> bool:
            unchanged = {"_id": before["_id"], "version": before.get("version")}
            fields = {name: after[name] for name in after if after[name] != before.get(name)}
            done = collection(Rule).update_one(unchanged, {"$set": fields}, session=session)
            if done.matched_count:
                also(after, session)
            return bool(done.matched_count)

        if transaction(write):
            return after
    raise Transient("others keep changing this rule")


def remove(rule: Row, also: Callable[[Row, ClientSession], None], now: datetime) -> bool:
    """Delete a rule; what it was still to do is skipped.  False if it was deleted already."""
    skipped = ledger.over("skipped", "the rule was deleted", now)

    def write(session: ClientSession) -> bool:
        if not collection(Rule).delete_one({"_id": rule["_id"]}, session=session).deleted_count:
            return False
        collection(Execution).update_many(
            {
                "rule_id": str(rule["_id"]),
                "state": "pending",
                # What returns its mail, or takes back what it did, goes on.
                "kind": {"$in": ["rule", "run_now"]},
                # What was begun is ended by who looks whether it was done.
                "steps.state": {"$nin": ["doing", "done"]},
            },
            {"$set": skipped, "$unset": {"due_at": ""}},
            session=session,
        )
        also(rule, session)
        return True

    return transaction(write)


def reorder(
    whose: Row,
    rule_ids: Sequence[str],
    also: Callable[[Sequence[str], ClientSession], None],
    now: datetime,
) -> None:
    """Put rules first, in the order of `rule_ids`; those that are not named follow as they were.

    Raises Refused, and changes nothing, if one is not among those that match `whose`.
    """
    if len(set(rule_ids)) != len(rule_ids):
        raise Refused("rule_ids", "name each rule once")

    def write(session: ClientSession) -> None:
        rows = collection(Rule).find(whose, {"_id": 1}, session=session).sort(IN_ORDER)
        present = [str(row["_id"]) for row in rows]
        if not set(rule_ids) <= set(present):
            raise Refused("rule_ids", "name only rules that this mailbox has")
        rest = [rule_id for rule_id in present if rule_id not in set(rule_ids)]
        writes = _priorities([*rule_ids, *rest], now)
        if writes:
            collection(Rule).bulk_write(writes, ordered=False, session=session)
            also(rule_ids, session)

    transaction(write)


def _priorities(rule_ids: Iterable[str], now: datetime) -> list[UpdateOne]:
    return [
        UpdateOne({"_id": ObjectId(rule_id)}, {"$set": {"priority": place, "updated_at": now}})
        for place, rule_id in enumerate(rule_ids)
    ]


def said(rule: Mapping[str, Any]) -> Row:
    """Return what the audit keeps of a rule: what it does, not to whose mail."""
    kinds = [action["action_type"] for action in rule.get("actions") or ()]
    return {"actions": kinds, "is_enabled": bool(rule.get("is_enabled", True))}
