"""The Patterns pages of a mailbox: habits that were found, what speaks for each, and deciding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.pattern import PATTERN_STATUSES
from pipeline.errors import Gone
from pipeline.mailbox.reading import patterns as reading
from pipeline.mailbox.reading.events import newest_of
from pipeline.mailbox.reading.folders import choices, paths
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.words import action_in_words
from pipeline.masking import masked_address
from pipeline.stores import Row
from pipeline.web.admin.mailboxes import pattern_acts, simulations
from pipeline.web.admin.mailboxes.common import ONE, PER_PAGE, address, box_of, framed, revealed
from pipeline.web.admin.mailboxes.events import line_of
from pipeline.web.pages import Done, NotFound, Visit, action, page

#: What is there if nothing is.
_NONE = {
    "suggested": "A habit is suggested once it is sure enough, and was seen for long enough.",
    "detected": "What is found but not sure enough yet stands here.",
    "approved": "What somebody approves becomes a rule.",
    "rejected": "What somebody rejects is not suggested again for a while.",
    "expired": "A habit that its user gave up, or that nobody decided on, ends here.",
}
#: The tabs in the order in which they matter.
_TABS = ("suggested", "detected", "approved", "rejected", "expired")


def _read(visit: Visit) -> Mapping[str, Any]:
    status, after = visit.query.get("status", "suggested"), visit.query.get("after", "")
    if status not in PATTERN_STATUSES:
        raise NotFound(f"No pattern is {status[:40]!r}; there are {', '.join(_TABS)}.")

    def read(box: MailboxRow) -> Mapping[str, Any]:
        try:
            found = reading.patterns(box.mailbox, status, PER_PAGE + 1, after)
        except ValueError:
            raise NotFound("This address does not name a place in the list.") from None
        shown, counted = found[:PER_PAGE], reading.counts(box.mailbox)
        folders = paths(box.mailbox["user_id"])
        return {
            "rows": [shown_pattern(row, folders) for row in shown],
            "tabs": [_tab(visit, name, status, counted[name]) for name in _TABS],
            "next": address(visit, ("status",), after=str(shown[-1]["_id"]))
            if len(found) > PER_PAGE
            else "",
        }

    return framed(visit, "/patterns", read) | {
        "status": status,
        "none": _NONE[status],
        "first": address(visit, ("status",)) if after else "",
        "bulk": pattern_acts.bulk(visit) if status in ("suggested", "detected") else [],
    }


def _tab(visit: Visit, name: str, current: str, count: int) -> dict[str, Any]:
    return {
        "label": name.capitalize(),
        "href": address(visit, ("status",), status=name),
        "current": name == current,
        "count": count,
    }


def shown_pattern(row: Row, folders: Mapping[str, str]) -> dict[str, Any]:
    """Return what the pages say of a pattern."""
    condition, suggested = row.get("condition") or {}, row["suggested_action"]
    return {
        "id": str(row["_id"]),
        "status": row["status"],
        "type": row["pattern_type"].replace("-", " "),
        "sender": masked_address(condition.get("sender_email"))
        or condition.get("sender_domain")
        or "",
        "domain": condition.get("sender_domain") or "",
        "act": action_in_words(suggested, folders),
        "action_type": suggested["action_type"],
        "to_folder": suggested.get("to_folder") or "",
        "category": suggested.get("category") or "",
        "confidence": row["confidence"],
        "sample": row["sample_size"],
        "exceptions": row.get("exception_count") or 0,
        "first_seen_at": row.get("first_seen_at"),
        "last_seen_at": row.get("last_seen_at"),
        "suggested_at": row.get("suggested_at"),
        "approved_at": row.get("approved_at"),
        "rejected_at": row.get("rejected_at"),
        "cooldown_until": row.get("rejection_cooldown_until"),
        "analyzed_at": row.get("last_analyzed_at"),
        "acts": pattern_acts.fitting(row),
    }


def _pattern(visit: Visit, mailbox: Row) -> Row:
    try:
        return reading.find(mailbox, visit.path["pattern_id"])
    except Gone:
        raise NotFound("There is no such pattern in this mailbox.") from None


def _read_one(visit: Visit) -> Mapping[str, Any]:
    days = simulations.days_of(visit)

    def read(box: MailboxRow) -> Mapping[str, Any]:
        row, user_id = _pattern(visit, box.mailbox), box.mailbox["user_id"]
        folders = paths(user_id)
        conditions = reading.conditions_of(row)
        return {
            "pattern": shown_pattern(row, folders),
            "evidence": row.get("evidence") or [],
            "simulation": simulations.simulated(user_id, conditions, days, folders),
            "folders": choices(user_id),
        }

    context = framed(visit, "/patterns", read)
    url = f"{context['here']}/{visit.path['pattern_id']}"
    return context | {
        "pattern_url": url,
        "days": days,
        "spans": simulations.tabs(visit, days),
        "customizable": pattern_acts.CUSTOM,
    }


def _reveal(visit: Visit) -> Done:
    """Show whose mail a pattern is about, and its evidence, once, to who asks."""
    mailbox = box_of(visit).mailbox
    row = _pattern(visit, mailbox)
    sender = (row.get("condition") or {}).get("sender_email") or "anybody of the domain"
    lines = _evidence(mailbox, row.get("evidence") or [])
    return revealed(visit, "Whose mail it is", [f"Mail of {sender}", *lines])


def _evidence(mailbox: Row, evidence: Sequence[Row]) -> list[str]:
    mails = newest_of(mailbox, [one["message_id"] for one in evidence])
    return [
        f"{one['action']}: {line_of(mails[one['message_id']])}"
        for one in evidence
        if one["message_id"] in mails
    ]


_ONE = f"{ONE}/patterns/{{pattern_id:id}}"
routes = [
    page(f"{ONE}/patterns", "mailboxes/patterns", _read, title="Patterns", nav="mailboxes"),
    *pattern_acts.bulk_routes,
    page(_ONE, "mailboxes/pattern", _read_one, title="Pattern", nav="mailboxes", seconds=5),
    action(f"{_ONE}/reveal", _reveal, name="pattern.reveal"),
    *pattern_acts.routes,
]
