"""Rules that forward must not send mail round in circles."""

from __future__ import annotations

from pymongo.client_session import ClientSession

from models import Mailbox, Rule, TenantPolicy
from pipeline.mailbox.rule_content import forwards_to
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

_FIELD = "actions.forward_to"


def refuse(rule: Row, mailbox: Row, session: ClientSession) -> None:
    """Raise Refused if mail that `rule` forwards could come back to its mailbox.

    Followed are the enabled rules of the tenant's mailboxes.  Every such check counts in one
    row of the tenant, in the transaction of `session`: two rules that would close a circle
    together are not written at once.
    """
    targets = set(forwards_to(rule))
    if not targets or not rule.get("is_enabled", True):
        return
    collection(TenantPolicy).update_one(
        {"_id": mailbox["tenant_id"]}, {"$inc": {"forwards": 1}}, upsert=True, session=session
    )
    if mailbox["email"] in targets:
        raise Refused(_FIELD, "circular forward: this is the mailbox's own address; give another")
    seen: set[str] = set()
    while targets:
        seen |= targets
        reached = _forwarded_on(targets, rule, mailbox, session)
        if mailbox["email"] in reached:
            raise Refused(_FIELD, "circular forward: from there mail comes back; give another")
        targets = reached - seen


def _forwarded_on(addresses: set[str], rule: Row, mailbox: Row, session: ClientSession) -> set[str]:
    """Return where the mailboxes of these addresses forward mail to."""
    whose = {"tenant_id": mailbox["tenant_id"], "email": {"$in": sorted(addresses)}}
    found = list(collection(Mailbox).find(whose, {"user_id": 1}, session=session))
    wanted = {
        "user_id": {"$in": [row["user_id"] for row in found]},
        "mailbox_id": {"$in": [row["_id"] for row in found]},
        "is_enabled": True,
        "actions.action_type": "forward",
        "_id": {"$ne": rule.get("_id")},
    }
    rows = collection(Rule).find(wanted, {"actions": 1}, session=session)
    return {address for row in rows for address in forwards_to(row)}
