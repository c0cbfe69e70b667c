"""Never again: mail of a sender, or of a whole domain, is left alone, and nothing is suggested.

The whitelist of the mailbox is what keeps it so.  It is changed by the one entry, and first, so
that no rule acts any more when the patterns are taken back; to repeat an act does what is left.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pymongo.client_session import ClientSession

from models import Mailbox, Pattern
from models.pattern import OPEN_PATTERN_STATUSES
from pipeline.mailbox import audit
from pipeline.mailbox.patterns import lifecycle
from pipeline.mailbox.patterns.rows import changed, owned
from pipeline.mailbox.rule_store import transaction
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

Whom = Literal["sender", "domain"]

#: The last year that a calendar knows; not its end, which is over in no time zone.
FOR_GOOD = datetime(9999, 1, 1, tzinfo=UTC)
#: By whom: the field of a pattern's condition, and that of the mailbox's settings.
_FIELDS = {
    "sender": ("sender_email", "whitelisted_senders"),
    "domain": ("sender_domain", "whitelisted_domains"),
}


def suppress(user_id: str, pattern_id: str, whom: Whom, *, by: str) -> int:
    """Leave mail of a pattern's sender, or its domain, alone for good; returns how many
    patterns were rejected for that.

    Safe to repeat.  Raises Gone if the user has no such pattern.
    """
    pattern = owned(user_id, pattern_id)
    field, value = _entry(pattern, whom)
    _whitelist(pattern, whom, value, "$addToSet", by)
    left: Row = {"status": {"$in": ["rejected", *OPEN_PATTERN_STATUSES]}}
    left |= {"rejection_cooldown_until": {"$ne": FOR_GOOD}}
    alike = list(collection(Pattern).find(_alike(pattern, field, value) | left, {"_id": 1}))
    for row in alike:
        lifecycle.reject(user_id, str(row["_id"]), by=by, until=FOR_GOOD)
    return len(alike)


def unsuppress(user_id: str, pattern_id: str, whom: Whom, *, by: str) -> int:
    """Take that back; returns how many patterns may be suggested anew, once they are found.

    Safe to repeat.  Raises Gone if the user has no such pattern.
    """
    pattern = owned(user_id, pattern_id)
    field, value = _entry(pattern, whom)
    _whitelist(pattern, whom, value, "$pull", by)
    silenced = {"status": "rejected", "rejection_cooldown_until": FOR_GOOD}
    rows = list(collection(Pattern).find(_alike(pattern, field, value) | silenced))
    now, answered = datetime.now(UTC), ("rejected_at", "rejection_cooldown_until")
    return sum(changed(row, {"status": "expired"}, now, unset=answered) for row in rows)


def _entry(pattern: Row, whom: Whom) -> tuple[str, str]:
    """Return the condition's field, and its value.  Raises Refused if there is none."""
    if whom not in _FIELDS:
        raise Refused("whom", "expected sender or domain")
    field, _ = _FIELDS[whom]
    value = (pattern.get("condition") or {}).get(field)
    if not value:
        raise Refused("whom", f"the pattern is not about mail of a {whom}")
    return field, str(value).lower()


def _alike(pattern: Row, field: str, value: str) -> Row:
    same = {"user_id": pattern["user_id"], "mailbox_id": pattern["mailbox_id"]}
    return same | {f"condition.{field}": value}


def _whitelist(pattern: Row, whom: Whom, value: str, operator: str, by: str) -> None:
    """Put the entry on the mailbox's whitelist, or take it off, with its row in the audit."""
    _, listed = _FIELDS[whom]
    path = f"settings.{listed}"
    missing = operator == "$addToSet"
    wanted = {"_id": pattern["mailbox_id"], path: {"$ne": value} if missing else value}
    update = {operator: {path: value}, "$set": {"updated_at": datetime.now(UTC)}}

    def write(session: ClientSession) -> None:
        if collection(Mailbox).update_one(wanted, update, session=session).matched_count:
            audit.write(
                pattern["user_id"],
                "whitelist_updated",
                "mailbox",
                pattern["mailbox_id"],
                actor=by,
                mailbox_id=pattern["mailbox_id"],
                tenant_id=pattern["tenant_id"],
                details={"change": "added" if missing else "removed", "kind": whom},
                session=session,
            )

    transaction(write)
