"""The page of one mailbox: how it is, its folders, and what can be done at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models import Pattern, Rule, User
from pipeline.dispatch import send
from pipeline.errors import ReauthRequired
from pipeline.mailbox import preferences
from pipeline.mailbox.folders import SOURCE
from pipeline.mailbox.reading import folders
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.stores import Row, collection
from pipeline.users import acting
from pipeline.web.admin.mailboxes.common import ONE, box_of, framed
from pipeline.web.pages import Conflict, Done, Visit, action, page


def _read(visit: Visit) -> Mapping[str, Any]:
    return framed(visit, "", _overview)


def _overview(box: MailboxRow) -> Mapping[str, Any]:
    user_id = box.mailbox["user_id"]
    whose = {"user_id": user_id, "mailbox_id": box.id}
    counted = folders.counted(user_id)
    return {
        "user": collection(User).find_one({"_id": user_id}) or {},
        "folders": counted,
        "mails": sum(one.mails for one in counted),
        "staging": _named(box.mailbox.get("staging_folder_id"), counted),
        "rules": collection(Rule).count_documents(whose | {"is_enabled": True}),
        "approved": collection(Pattern).count_documents(whose | {"status": "approved"}),
        "signatures": (box.mailbox.get("settings") or {}).get("signatures") or [],
    }


def _named(folder_id: str | None, counted: list[folders.Counted]) -> str:
    if not folder_id:
        return "not needed yet"
    return next((one.folder.path for one in counted if one.folder.id == folder_id), "made anew")


def _on(act: Callable[[Visit, Row], Done]) -> Callable[[Visit], Done]:
    """Have `act` called with the mailbox."""
    return lambda visit: act(visit, box_of(visit).mailbox)


def _sync(_: Visit, mailbox: Row) -> Done:
    _require_connected(mailbox)
    [asked] = acting.sync_now(mailbox["user_id"], [SOURCE])
    text = "It is looked at now." if asked.created else "A look waits or runs already."
    return Done(text, {"job": asked.message_id})


def _analyze(_: Visit, mailbox: Row) -> Done:
    _require_connected(mailbox)
    sent = send(
        "analyze_patterns", mailbox["user_id"], mailbox["_id"], tenant_id=mailbox["tenant_id"]
    )
    text = "Its patterns are being analyzed." if sent.created else "An analysis waits or runs."
    return Done(text, {"job": sent.message_id})


def _require_connected(mailbox: Row) -> None:
    if not mailbox.get("is_connected"):
        raise ReauthRequired("The mailbox is not connected; its user must connect it again.")


def _set_paused(paused: bool) -> Callable[[Visit, Row], Done]:
    def act(visit: Visit, mailbox: Row) -> Done:
        if bool((mailbox.get("settings") or {}).get("automation_paused")) == paused:
            raise Conflict(f"Automation is {'paused' if paused else 'on'} already.")
        preferences.update_mailbox_settings(
            mailbox["_id"], {"automation_paused": paused}, by=visit.principal.name
        )
        return Done(
            "Nothing is done to its mail any more; what is staged stays there."
            if paused
            else "Rules act again, on mail that arrives from now on and on what waits."
        )

    return act


routes = [
    page(ONE, "mailboxes/overview", _read, title="Mailbox", nav="mailboxes"),
    action(f"{ONE}/sync", _on(_sync), name="mailbox.sync"),
    action(f"{ONE}/analyze", _on(_analyze), name="mailbox.analyze"),
    action(f"{ONE}/pause", _on(_set_paused(True)), name="mailbox.pause"),
    action(f"{ONE}/resume", _on(_set_paused(False)), name="mailbox.resume"),
]
