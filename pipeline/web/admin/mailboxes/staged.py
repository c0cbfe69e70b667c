"""The Staged page of a mailbox: mail that waits to be deleted; rescuing it, or not waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.mailbox import staging
from pipeline.mailbox.reading.events import rule_names
from pipeline.mailbox.reading.folders import paths
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.mailbox.reading.names import sender_of
from pipeline.mailbox.reading.staged import TABS, counts, staged
from pipeline.mailbox.reading.staged import page as page_of_staged
from pipeline.mailbox.reading.words import actions_in_words
from pipeline.mailbox.staging import Outcome
from pipeline.stores import Row
from pipeline.web.admin.mailboxes.common import (
    ONE,
    PER_PAGE,
    address,
    box_of,
    framed,
    place_of,
    revealed,
    url_of,
)
from pipeline.web.admin.mailboxes.events import line_of
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page

#: More are not acted on at once.
MOST_AT_ONCE = 200
_LABELS = {
    "staged": "Waiting",
    "executed": "Executed",
    "rescued": "Rescued",
    "expired": "Gone elsewhere",
    "failed": "Failed",
}


def _read(visit: Visit) -> Mapping[str, Any]:
    tab, before = _tab(visit.query), place_of(visit)

    def read(box: MailboxRow) -> Mapping[str, Any]:
        found, after = page_of_staged(box.mailbox, tab, PER_PAGE, before)
        return {
            "rows": _rows(found, box.mailbox["user_id"]),
            "tabs": _tabs(visit, tab, counts(box.mailbox)),
            "next": address(visit, ("show",), before=after) if after else "",
        }

    return framed(visit, "/staged", read) | {
        "tab": tab,
        "first": address(visit, ("show",)) if before else "",
        "scope": {"show": tab, "before": visit.query.get("before", "")},
        "bulk": _bulk(visit) if tab == "staged" else [],
    }


def _tab(given: Mapping[str, str]) -> str:
    tab = given.get("show") or "staged"
    if tab not in TABS:
        raise NotFound(f"No staged mail is {tab[:40]!r}; there are {', '.join(TABS)}.")
    return tab


def _tabs(visit: Visit, tab: str, counted: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "href": address(visit, ("show",), show=name),
            "current": name == tab,
            "count": counted.get(name, 0),
            "kind": "bad" if name == "failed" else "",
        }
        for name, label in _LABELS.items()
    ]


def _rows(found: Sequence[Row], user_id: str) -> list[dict[str, Any]]:
    folders = paths(user_id)
    rules = rule_names({row["rule_id"] for row in found})
    return [
        {
            "id": str(row["_id"]),
            "sender": sender_of(row),
            "message_id": row["message_id"],
            "rule_id": row["rule_id"],
            "rule": rules.get(row["rule_id"], ""),
            "folder": folders.get(row["original_folder"], "a folder that is gone"),
            "acts": actions_in_words(row.get("actions") or (), folders),
            "staged_at": row["staged_at"],
            "expires_at": row["expires_at"],
            "ended_at": row.get("executed_at") or row.get("rescued_at") or row["updated_at"],
            "status": row["status"],
            "error": row.get("error") or "",
        }
        for row in found
    ]


_TOLD = {
    "rescued": "It is back where it was.",
    "executed": "It is done; the audit can undo it.",
    "rescuing": "It is going back; the mailbox is busy just now.",
    "executing": "It is being done; the mailbox is busy just now.",
}


def _one(act: Callable[[str, str, str], Outcome]) -> Callable[[Visit], Done]:
    """Return an action that does `act` to the staged mail of the path."""

    def perform(visit: Visit) -> Done:
        user_id = box_of(visit).mailbox["user_id"]
        outcome = act(user_id, visit.path["staged_id"], visit.principal.name)
        if outcome.status not in _TOLD:
            raise Conflict(f"It is {outcome.status}: {outcome.reason or 'nobody noted why'}.")
        return Done(_TOLD[outcome.status], {"status": outcome.status})

    return perform


def _many(
    act: Callable[[str, Sequence[str], str], list[Outcome]], done: str
) -> Callable[[Visit], Done]:
    """Return an action that does `act` to the staged mails that a form names."""

    def perform(visit: Visit) -> Done:
        user_id = box_of(visit).mailbox["user_id"]
        outcomes = act(user_id, chosen_ids(visit), visit.principal.name)
        return in_sum(done, [one.reason for one in outcomes if one.status not in _TOLD], outcomes)

    return perform


def in_sum(done: str, reasons: Sequence[str], all_of_them: Sequence[object]) -> Done:
    """Return what acting on many came to.  Raises Conflict if nothing was done."""
    left = ", ".join(f"{n} ({reason})" for reason, n in Counter(reasons).most_common())
    acted = len(all_of_them) - len(reasons)
    if not acted:
        raise Conflict(f"Nothing was done. Left as they were: {left}.")
    rest = f" Left as they were: {left}." if left else ""
    return Done(f"{done}: {acted}.{rest}", {"done": acted, "refused": len(reasons)})


def chosen_ids(visit: Visit, most: int = MOST_AT_ONCE) -> list[str]:
    """Return the ids of the rows that a form names.  Raises Conflict for none, or too many."""
    ids = list(dict.fromkeys(str(one) for one in visit.form.getlist("id")))
    if not ids:
        raise Conflict("Nothing is selected.")
    if len(ids) > most:
        raise Conflict(f"At most {most} at once.")
    return ids


def _bulk(visit: Visit) -> list[dict[str, Any]]:
    url = f"{url_of(visit.path['mailbox_id'])}/staged"
    return [
        {
            "label": "Rescue",
            "url": f"{url}/rescue",
            "confirm": "Put {n} mails back where they were?",
        },
        {
            "label": "Execute now",
            "url": f"{url}/execute",
            "confirm": "Delete {n} mails now, without waiting? They go to Deleted Items.",
            "danger": True,
        },
    ]


def _reveal(visit: Visit) -> Done:
    """Show senders and subjects of the staged mail on the page, once, to who asks."""
    from starlette.datastructures import QueryParams

    form = {"show": visit.said("show"), "before": visit.said("before")}
    place = place_of(Visit(visit.principal, visit.path, QueryParams(form)))
    found = staged(box_of(visit).mailbox, _tab(form), PER_PAGE, place)
    return revealed(visit, "Senders and subjects", [line_of(row) for row in found])


_LIST = f"{ONE}/staged"
_ONE = f"{_LIST}/{{staged_id:id}}"
routes = [
    page(_LIST, "mailboxes/staged", _read, title="Staged", nav="mailboxes"),
    action(f"{_LIST}/reveal", _reveal, name="mailbox.reveal_staged"),
    action(f"{_LIST}/rescue", _many(staging.rescue_many, "Put back"), name="staged.rescue_many"),
    action(f"{_LIST}/execute", _many(staging.execute_many, "Deleted"), name="staged.execute_many"),
    action(f"{_ONE}/rescue", _one(staging.rescue), name="staged.rescue"),
    action(f"{_ONE}/execute", _one(staging.execute_now), name="staged.execute"),
]
