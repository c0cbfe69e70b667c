"""Running a rule on mail that is there already, because its user asks for it.

It goes through the ledger and the staging folder like mail that comes, and what it does to
each mail can be undone by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pymongo.client_session import ClientSession

from models import Execution, Record
from pipeline.dispatch import send
from pipeline.errors import Permanent
from pipeline.mailbox import audit, checks, ledger, mailboxes
from pipeline.mailbox.folders import MESSAGES_STREAM, SOURCE
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.matching import Mail, matches
from pipeline.stores import Row, collection, mongodb

#: The newest so many mails that match are acted upon; the rule may be run again.
MOST_AT_ONCE = 500
#: So many mails of the folder are looked at, at most.
MOST_LOOKED_AT = 50_000
#: What a rule left so, it may do when it is run again.
_IN_VAIN = ("skipped", "failed")
_LONG_AGO = datetime.fromtimestamp(0, UTC)


class Started(NamedTuple):
    """How many mails the rule will act upon, and the job that does it; no job if none."""

    mails: int
    job_id: str


def run_now(user_id: str, mailbox_id: str, rule_id: str, by: str) -> Started:
    """Have a rule act on the mail in the folder that it is for, else the inbox.

    Each mail meets the same rule once only.  Raises Gone if there is no such mailbox,
    Permanent if the rule is gone or not enabled, or automation is paused.
    """
    view = Hold.to_look(mailbox_id)
    if view.user_id != user_id:
        raise Permanent("this mailbox belongs to another user")
    now = datetime.now(UTC)
    against = checks.objection(view, "run_now", rule_id, str, now)
    rule = checks.rule_of(view, rule_id)
    if against is not None or rule is None:
        raise Permanent(f"the rule is not run: {against.reason if against else 'it is gone'}")
    rows = _planned(rule, view.mailbox, now)
    count = _add(rows, rule_id, view.mailbox, by)
    if not count:
        return Started(0, "")
    tenant_id = view.mailbox["tenant_id"]
    return Started(count, send("work_mailbox", user_id, mailbox_id, tenant_id=tenant_id).job_id)


def _add(rows: list[Row], rule_id: str, mailbox: Row, by: str) -> int:
    """Add the rows, and one of the audit for them all; return how many were not there."""

    def transact(session: ClientSession) -> int:
        again = {"_id": {"$in": [row["_id"] for row in rows]}, "state": {"$in": list(_IN_VAIN)}}
        collection(Execution).delete_many(again, session=session)
        count = ledger.add(rows, session)
        audit.write(
            mailbox["user_id"],
            "rules_run",
            "rule",
            rule_id,
            actor=by,
            mailbox_id=mailbox["_id"],
            details={"count": count},
            tenant_id=mailbox["tenant_id"],
            session=session,
        )
        return count

    with mongodb().client.start_session() as session:
        return int(session.with_transaction(transact))


def _planned(rule: Row, mailbox: Row, now: datetime) -> list[Row]:
    """Return what the rule is to do to the newest mails that it matches and has not met."""
    conditions = rule.get("conditions") or {}
    folder_id = conditions.get("from_folder") or mailboxes.folders(mailbox).well_known("inbox")
    if not folder_id:
        raise Permanent("the rule is not run: the inbox has not been synced yet")
    met = _met_before(rule, mailbox)
    found = ((item, Mail.of(item)) for item in _items(mailbox, folder_id))
    matching = (
        (mail.received_at or _LONG_AGO, mail.id, item)
        for item, mail in found
        if mail.id not in met and not mail.is_draft and matches(conditions, mail)
    )
    newest = heapq.nlargest(MOST_AT_ONCE, matching, key=lambda one: one[:2])
    return [ledger.planned(rule, item, mailbox, now, "run_now") for _, _, item in newest]


def _items(mailbox: Row, folder_id: str) -> Iterator[Row]:
    live = {
        "user_id": mailbox["user_id"],
        "source": SOURCE,
        "stream": f"{MESSAGES_STREAM}{folder_id}",
        "deleted_at": None,
    }
    rows = collection(Record).find(live, {"item": 1, "item_id": 1}).limit(MOST_LOOKED_AT)
    return ({**row["item"], "id": row["item_id"]} for row in rows)


def _met_before(rule: Row, mailbox: Row) -> set[str]:
    """Return the mails on which the rule was executed, or is about to be."""
    wanted = {
        "rule_id": str(rule["_id"]),
        "mailbox_id": mailbox["_id"],
        "kind": {"$in": ["rule", "run_now"]},
        "state": {"$nin": list(_IN_VAIN)},
    }
    rows = collection(Execution).find(wanted, {"message_id": 1, "_id": 0})
    return {str(row["message_id"]) for row in rows}
