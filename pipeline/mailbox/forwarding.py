"""Forwarding a mail, once: a draft whose id is in the ledger, then sent.

Whether a draft was sent before its process died shows in the draft: Microsoft's immutable id
stays with it when it goes to the sent mail.
https://learn.microsoft.com/graph/outlook-immutable-id
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from models import Execution
from pipeline.errors import Gone, Permanent
from pipeline.mailbox.running import READ, Run
from pipeline.stores import Row, collection

#: The same mail by way of several lists is forwarded once.
ONCE_WITHIN = timedelta(minutes=15)
#: Our forwarded mail carries this, so that rules of two mailboxes send it round in no circle.
HEADER = "X-Headrace-Forward"
_UNKNOWN = "its draft is gone, and it is not known whether it was sent"
_DRAFTS = "GET /me/mailFolders/{id}/messages"
_DRAFTS_LOOKED_AT = 50


def forward(run: Run, index: int) -> None:
    """Forward the mail as a step says, or write why not.

    Raises Gone if the mail is gone, and whatever the calls raise that may pass.
    """
    step = run.steps[index]
    recipients = _recipients(run, step)
    why_not = "" if step["state"] == "doing" else _why_not(run, recipients)
    if why_not:
        run.write(index, "skipped", why_not)
        return
    draft_id = step.get("draft_id") or _drafted(run, index, recipients)
    _send(run, index, draft_id)


def reconcile(run: Run, index: int) -> None:
    """Write of a forward that was begun before whether it is over, as its draft shows."""
    draft_id = run.steps[index].get("draft_id")
    try:
        if draft_id and _was_sent(run, draft_id):
            run.write(index, "done")
    except Gone:
        # It was deleted as a draft, or as sent: to send another might be once too often.
        run.write(index, "failed", _UNKNOWN)


def _why_not(run: Run, recipients: list[str]) -> str:
    if not recipients:
        return "it would come back to this mailbox"
    if _header(run.hold.client.call(READ, id=run.message_id, select="internetMessageHeaders")):
        return "a rule of ours has forwarded it to here"
    if _was_just_forwarded(run.execution):
        return "the same mail was forwarded a moment ago"
    return ""


def _recipients(run: Run, step: Row) -> list[str]:
    own = str(run.hold.mailbox.get("email") or "").casefold()
    return [to for to in step["params"].get("forward_to") or () if to.strip().casefold() != own]


def _was_just_forwarded(execution: Row) -> bool:
    """Return whether the same rule has forwarded the same mail, perhaps another copy of it."""
    if not execution.get("internet_message_id"):
        return False
    since = datetime.now(UTC) - ONCE_WITHIN
    forwarded = {
        "action_type": "forward",
        "state": {"$in": ["doing", "done"]},
        "acted_at": {"$gte": since},
    }
    others = {
        "_id": {"$ne": execution["_id"]},
        "rule_id": execution["rule_id"],
        "mailbox_id": execution["mailbox_id"],
        "internet_message_id": execution["internet_message_id"],
        "updated_at": {"$gte": since},
        "steps": {"$elemMatch": forwarded},
    }
    return collection(Execution).count_documents(others, limit=1) > 0


def _drafted(run: Run, index: int, recipients: list[str]) -> str:
    """Return the id of the draft, once it is in the ledger: one that was lost, or a new one."""
    mark = _mark(run.execution, index)
    was_begun = run.steps[index]["state"] == "doing"
    if not was_begun:
        run.write(index, "doing", before={}, after={})
    draft_id = (was_begun and _lost_draft(run, mark)) or _new_draft(run, recipients, mark)
    run.write(index, "doing", draft_id=draft_id)
    return draft_id


def _new_draft(run: Run, recipients: Iterable[str], mark: str) -> str:
    message = {
        "toRecipients": [{"emailAddress": {"address": to}} for to in recipients],
        "internetMessageHeaders": [{"name": HEADER, "value": mark}],
    }
    method = "POST /me/messages/{id}/createForward"
    draft = run.hold.client.call(method, id=run.message_id, body={"message": message})
    return str(draft["id"])


def _lost_draft(run: Run, mark: str) -> str | None:
    """Return the draft that was made before its id could be written, if there is one."""
    page = run.hold.client.call(
        _DRAFTS,
        id="drafts",
        select="id,internetMessageHeaders",
        orderby="receivedDateTime desc",
        top=_DRAFTS_LOOKED_AT,
    )
    drafts = page.get("value", ())
    return next((str(draft["id"]) for draft in drafts if _header(draft) == mark), None)


def _send(run: Run, index: int, draft_id: str) -> None:
    try:
        run.hold.client.call("POST /me/messages/{id}/send", id=draft_id)
    except Gone:
        run.write(index, "failed", _UNKNOWN)
    except Permanent as refused:
        run.write(index, "failed", str(refused))
    else:
        run.write(index, "done")


def _was_sent(run: Run, draft_id: str) -> bool:
    draft = run.hold.client.call(READ, id=draft_id, select="id,isDraft")
    return draft.get("isDraft") is False


def _header(mail: Mapping[str, Any]) -> str:
    lines = mail.get("internetMessageHeaders") or ()
    named = (line for line in lines if str(line.get("name", "")).casefold() == HEADER.casefold())
    return next((str(line.get("value", "")) for line in named), "")


def _mark(execution: Row, index: int) -> str:
    """Return what tells this draft from all others, and nothing about the mail."""
    return blake2b(f"{execution['_id']}:{index}".encode(), digest_size=16).hexdigest()
