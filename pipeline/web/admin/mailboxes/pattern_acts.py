"""What an operator decides on patterns: approve, another action, reject, never again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.pattern import OPEN_PATTERN_STATUSES
from pipeline.errors import Gone, Permanent
from pipeline.mailbox.patterns import bulk as many
from pipeline.mailbox.patterns import lifecycle, suppressing
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import ONE, box_of, url_of
from pipeline.web.admin.mailboxes.staged import chosen_ids, in_sum
from pipeline.web.pages import ActionRoute, Done, Visit, action

#: What a pattern may be customized to.
CUSTOM = [
    ("delete", "Delete (by way of staging)"),
    ("move", "Move to a folder"),
    ("archive", "Move to the archive"),
    ("mark_read", "Mark as read"),
    ("flag", "Flag"),
    ("categorize", "Give it a category"),
]

Act = Callable[[str, str, Visit], Done]


def fitting(pattern: Row) -> list[str]:
    """Return what can be done with a pattern in its status."""
    status = pattern["status"]
    if status == "approved":
        return ["customize", "unapprove", "reject", "suppress"]
    if status in OPEN_PATTERN_STATUSES:
        return ["approve", "customize", "reject", "suppress"]
    return []


def bulk(visit: Visit) -> list[dict[str, Any]]:
    """Return what can be done with selected patterns."""
    url = f"{url_of(visit.path['mailbox_id'])}/patterns"
    return [
        {
            "label": "Approve",
            "url": f"{url}/approve",
            "confirm": "Approve {n} patterns? Each becomes a rule.",
        },
        {
            "label": "Reject",
            "url": f"{url}/reject",
            "confirm": "Reject {n} patterns? They are not suggested again for a while.",
            "danger": True,
        },
    ]


def _on(act: Act) -> Callable[[Visit], Done]:
    """Have `act` called with the user and the id of the pattern."""
    return lambda visit: act(box_of(visit).mailbox["user_id"], visit.path["pattern_id"], visit)


def _approve(user_id: str, pattern_id: str, visit: Visit) -> Done:
    return _approved(lifecycle.approve(user_id, pattern_id, by=visit.principal.name))


def _customize(user_id: str, pattern_id: str, visit: Visit) -> Done:
    return _approved(
        lifecycle.customize(
            user_id,
            pattern_id,
            action_type=visit.said("action_type"),
            to_folder=visit.said("to_folder") or None,
            category=visit.said("category") or None,
            by=visit.principal.name,
        )
    )


def _approved(approved: lifecycle.Approved) -> Done:
    if approved.problem:
        text = f"Approved, but there is no rule: {approved.problem}. Approve it again to try anew."
        return Done(text, {"rule": ""})
    return Done("Approved: its rule acts from now on.", {"rule": approved.rule_id})


def _unapprove(user_id: str, pattern_id: str, visit: Visit) -> Done:
    lifecycle.unapprove(user_id, pattern_id, by=visit.principal.name)
    return Done("Its rule is deleted; it is a suggestion again.")


def _reject(user_id: str, pattern_id: str, visit: Visit) -> Done:
    row = lifecycle.reject(user_id, pattern_id, by=visit.principal.name)
    until = row.get("rejection_cooldown_until")
    return Done(f"Rejected; not suggested again before {until:%Y-%m-%d}." if until else "Rejected.")


def _suppress(user_id: str, pattern_id: str, visit: Visit) -> Done:
    whom = visit.said("whom")
    count = suppressing.suppress(user_id, pattern_id, whom, by=visit.principal.name)  # type: ignore[arg-type]  # it is checked there
    details = {"whom": whom, "patterns": count}
    return Done(f"On the whitelist; patterns rejected for good: {count}.", details)


def _approve_many(visit: Visit) -> Done:
    user_id = box_of(visit).mailbox["user_id"]
    outcomes = many.approve_many(user_id, chosen_ids(visit), by=visit.principal.name)
    kept = [one.why or one.outcome for one in outcomes if one.outcome in ("refused", "failed")]
    return in_sum("Approved", kept, outcomes)


def _reject_many(visit: Visit) -> Done:
    user_id = box_of(visit).mailbox["user_id"]
    ids, reasons = chosen_ids(visit), []
    for pattern_id in ids:
        try:
            lifecycle.reject(user_id, pattern_id, by=visit.principal.name)
        except (Gone, Permanent) as error:
            reasons.append(str(error))
    return in_sum("Rejected", reasons, ids)


_LIST = f"{ONE}/patterns"
_ONE = f"{_LIST}/{{pattern_id:id}}"
#: Those whose addresses must be tried before those of single patterns.
bulk_routes: list[ActionRoute] = [
    action(f"{_LIST}/approve", _approve_many, name="patterns.approve"),
    action(f"{_LIST}/reject", _reject_many, name="patterns.reject"),
]
routes: list[ActionRoute] = [
    action(f"{_ONE}/approve", _on(_approve), name="pattern.approve"),
    action(f"{_ONE}/customize", _on(_customize), name="pattern.customize"),
    action(f"{_ONE}/unapprove", _on(_unapprove), name="pattern.unapprove"),
    action(f"{_ONE}/reject", _on(_reject), name="pattern.reject"),
    action(f"{_ONE}/suppress", _on(_suppress), name="pattern.suppress"),
]
