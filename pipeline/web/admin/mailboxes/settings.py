"""The Settings page of a mailbox: what is set for it and for its user, each with its range."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from models import User
from models.user import PatternSettings, Preferences
from pipeline.mailbox import preferences
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.masking import masked_address
from pipeline.refusals import Refused
from pipeline.stores import Row, collection
from pipeline.web.admin.mailboxes.common import ONE, box_of, framed, told, url_of
from pipeline.web.pages import Conflict, Done, Visit, action, page
from pipeline.web.templating import render

#: Whole numbers that are set: name, label, unit.
_PATTERNS = (
    ("threshold_delete", "Suggest to delete from", " percent"),
    ("threshold_move", "Suggest to move or archive from", " percent"),
    ("threshold_mark_read", "Suggest to mark as read from", " percent"),
    ("observation_window_days", "Look back", " days"),
    ("rejection_cooldown_days", "Ask again after a rejection", " days"),
    ("min_sender_events", "Mails of a sender at least", ""),
)
_HOURS = (
    ("working_hours_start", "Working hours begin", " o'clock"),
    ("working_hours_end", "Working hours end", " o'clock"),
)
_LINES = re.compile(r"[\s,;]+")


def _read(visit: Visit) -> Mapping[str, Any]:
    def read(box: MailboxRow) -> Mapping[str, Any]:
        user: Row = collection(User).find_one({"_id": box.mailbox["user_id"]}) or {}
        row, prefs = box.mailbox.get("settings") or {}, user.get("preferences") or {}
        return {
            "mailbox": _mailbox(row),
            "patterns": _numbers(PatternSettings, user.get("pattern_settings") or {}, _PATTERNS),
            "hours": _numbers(Preferences, prefs, _HOURS),
            "user": {
                "automation_paused": bool(prefs.get("automation_paused")),
                "time_zone": prefs.get("time_zone") or "",
            },
            "signatures": [_signature(one) for one in row.get("signatures") or ()],
        }

    return framed(visit, "/settings", read)


def _mailbox(row: Row) -> dict[str, Any]:
    return {
        "automation_paused": bool(row.get("automation_paused")),
        "mirror_rules": bool(row.get("mirror_rules")),
        "senders": [masked_address(one) for one in row.get("whitelisted_senders") or ()],
        "domains": row.get("whitelisted_domains") or [],
    }


def _numbers(model: Any, row: Row, named: tuple[tuple[str, str, str], ...]) -> list[dict[str, Any]]:
    """Return the fields of a form, with the ranges that the model has."""
    return [
        {
            "name": name,
            "label": label,
            "unit": unit,
            "value": told(row, name, model._fields[name].default),
            "minimum": model._fields[name].min_value,
            "maximum": model._fields[name].max_value,
        }
        for name, label, unit in named
    ]


def _signature(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "characters": len(row.get("content") or ""),
        "is_default": bool(row.get("is_default")),
    }


def whole(visit: Visit, name: str) -> int:
    """Return a field of the form as a whole number.  Raises Refused."""
    text = visit.said(name)
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise Refused(name, "expected a whole number")
    return int(text)


def lines(visit: Visit, name: str) -> list[str]:
    """Return a field of the form as a list."""
    return [one for one in _LINES.split(visit.said(name)) if one]


def whitelist_form(visit: Visit, row: Row, url: str, whose: str) -> Done:
    """Show a whitelist in full, to edit it, once, to who asks; the audit says who."""
    html = render(
        "admin/mailboxes/_whitelist_form.html",
        senders=row.get("whitelisted_senders") or [],
        domains=row.get("whitelisted_domains") or [],
        url=url,
        whose=whose,
        who=visit.principal.name,
    )
    return Done("Shown.", html=html)


def _on(act: Callable[[Visit, Row], str]) -> Callable[[Visit], Done]:
    """Have `act` called with the mailbox; it returns what was done, and the page comes anew."""

    def perform(visit: Visit) -> Done:
        mailbox = box_of(visit).mailbox
        return Done(act(visit, mailbox), location=f"{url_of(mailbox['_id'])}/settings")

    return perform


def _show_whitelist(visit: Visit) -> Done:
    mailbox = box_of(visit).mailbox
    url = f"{url_of(mailbox['_id'])}/settings/whitelist/save"
    return whitelist_form(visit, mailbox.get("settings") or {}, url, "this mailbox")


def _set_whitelist(visit: Visit, mailbox: Row) -> str:
    _update(
        visit,
        mailbox,
        {name: lines(visit, name) for name in ("whitelisted_senders", "whitelisted_domains")},
    )
    return "The whitelist is set."


def _set_mailbox(visit: Visit, mailbox: Row) -> str:
    _update(
        visit,
        mailbox,
        {name: bool(visit.said(name)) for name in ("automation_paused", "mirror_rules")},
    )
    return "The mailbox is set."


def _update(visit: Visit, mailbox: Row, changes: Row) -> None:
    preferences.update_mailbox_settings(mailbox["_id"], changes, by=visit.principal.name)


def _set_patterns(visit: Visit, mailbox: Row) -> str:
    changes = {name: whole(visit, name) for name, _, _ in _PATTERNS}
    preferences.update_pattern_settings(mailbox["user_id"], changes, by=visit.principal.name)
    return "It holds from the next analysis on."


def _set_user(visit: Visit, mailbox: Row) -> str:
    changes: Row = {name: whole(visit, name) for name, _, _ in _HOURS}
    changes["automation_paused"] = bool(visit.said("automation_paused"))
    changes["time_zone"] = visit.said("time_zone")
    preferences.update_preferences(mailbox["user_id"], changes, by=visit.principal.name)
    return "The user is set."


def _signatures(mailbox: Row) -> list[Row]:
    return [dict(one) for one in (mailbox.get("settings") or {}).get("signatures") or ()]


def _add_signature(visit: Visit, mailbox: Row) -> str:
    signatures, is_default = _signatures(mailbox), bool(visit.said("is_default"))
    fresh = {
        "id": uuid4().hex,
        "name": visit.said("name"),
        "content": visit.said("content"),
        "is_default": is_default,
    }
    kept = [one | {"is_default": False} for one in signatures] if is_default else signatures
    _update(visit, mailbox, {"signatures": [*kept, fresh]})
    return "The signature is there."


def _default_signature(visit: Visit, mailbox: Row) -> str:
    wanted = _known_signature(visit, mailbox)
    signatures = [one | {"is_default": one["id"] == wanted} for one in _signatures(mailbox)]
    _update(visit, mailbox, {"signatures": signatures})
    return "It is the default now."


def _remove_signature(visit: Visit, mailbox: Row) -> str:
    wanted = _known_signature(visit, mailbox)
    kept = [one for one in _signatures(mailbox) if one["id"] != wanted]
    _update(visit, mailbox, {"signatures": kept})
    return "The signature is gone."


def _known_signature(visit: Visit, mailbox: Row) -> str:
    wanted = visit.path["signature_id"]
    if wanted not in [one["id"] for one in _signatures(mailbox)]:
        raise Conflict("There is no such signature any more.")
    return wanted


_URL = f"{ONE}/settings"
_SIGNATURE = f"{_URL}/signatures/{{signature_id:id}}"
routes = [
    page(_URL, "mailboxes/settings", _read, title="Settings", nav="mailboxes", seconds=3600),
    action(f"{_URL}/mailbox", _on(_set_mailbox), name="mailbox.set"),
    action(f"{_URL}/patterns", _on(_set_patterns), name="mailbox.set_patterns"),
    action(f"{_URL}/user", _on(_set_user), name="mailbox.set_user"),
    action(f"{_URL}/whitelist", _show_whitelist, name="mailbox.reveal_whitelist"),
    action(f"{_URL}/whitelist/save", _on(_set_whitelist), name="mailbox.set_whitelist"),
    action(f"{_URL}/signatures", _on(_add_signature), name="mailbox.add_signature"),
    action(f"{_SIGNATURE}/default", _on(_default_signature), name="mailbox.default_signature"),
    action(f"{_SIGNATURE}/remove", _on(_remove_signature), name="mailbox.remove_signature"),
]
