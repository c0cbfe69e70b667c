"""The Messages page: what was sent, what failed, and what may have been sent or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models.outreach import MESSAGE_STATES
from pipeline.outreach.reading import messages
from pipeline.outreach.reading.messages import Filter, MessageRow
from pipeline.outreach.reading.pages import Page
from pipeline.outreach.reading.stats import OUTCOMES
from pipeline.outreach.sending import reconciling
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    campaign_choices,
    framed,
    on_tenant,
    one_of,
    paged,
    revealed,
    revealing,
    said,
    scope,
    sender_choices,
    tabs,
    url_of,
)
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment

_KEPT = ("state", "campaign", "sender", "outcome", "to")
#: Those that wait for somebody first.
_LABELS = {"": "All", "unknown": "Unknown", "failed": "Failed"} | {
    state: state.capitalize() for state in MESSAGE_STATES if state not in ("unknown", "failed")
}
#: Unknown ones that stand above the list of all.
_UNKNOWN_ABOVE = 20
_LIST = f"{TENANT}/messages"
_ONE = f"{_LIST}/{{message_id:id}}"


def _wanted(visit: Visit) -> Filter:
    return Filter(
        state=one_of(visit, "state", MESSAGE_STATES),
        campaign_id=said(visit, "campaign"),
        sender_id=said(visit, "sender"),
        outcome=one_of(visit, "outcome", OUTCOMES),
        to=said(visit, "to"),
    )


def _listed(visit: Visit, *, reveal: bool = False) -> Page[MessageRow]:
    tenant_id, after = visit.path["tenant_id"], said(visit, "after")
    return messages.listed(tenant_id, PER_PAGE, after=after, wanted=_wanted(visit), reveal=reveal)


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, wanted = visit.path["tenant_id"], _wanted(visit)

    def read() -> dict[str, Any]:
        counts = messages.counts(tenant_id)
        return {
            **paged(visit, _KEPT, _listed(visit)),
            "unknown": _unknown(tenant_id) if not visit.query and counts["unknown"] else [],
            "tabs": tabs(visit, _KEPT, "state", _LABELS, counts),
            "campaigns": campaign_choices(tenant_id),
            "senders": sender_choices(tenant_id),
        }

    return framed(visit, "/messages", read) | {
        "wanted": wanted,
        "scope": scope(visit, _KEPT),
        "outcomes": [(name, name.replace("_", " ")) for name in OUTCOMES],
    }


def _unknown(tenant_id: str) -> list[MessageRow]:
    return messages.listed(tenant_id, _UNKNOWN_ABOVE, wanted=Filter(state="unknown")).rows


def _line(row: MessageRow) -> str:
    at = row.message.get("sent_at") or row.message["created_at"]
    return f"{at:%Y-%m-%d %H:%M} UTC  {row.to or '(forgotten)'}  {row.subject or '(no subject)'}"


_reveal = revealing(_KEPT, partial(_listed, reveal=True), _line, "Addresses and subjects")


def _read_one(visit: Visit) -> Mapping[str, Any]:
    tenant_id, message_id = visit.path["tenant_id"], visit.path["message_id"]

    def read() -> dict[str, Any]:
        row = messages.find(tenant_id, message_id)
        sender = dict(sender_choices(tenant_id)).get(row.message["sender_id"], "")
        return {
            "row": row,
            "sender": sender,
            "events": messages.events_of(tenant_id, message_id),
        }

    return framed(visit, "/messages", read) | {
        "own_url": f"{url_of(tenant_id)}/messages/{segment(message_id)}"
    }


def _reveal_one(visit: Visit, tenant_id: str) -> Done:
    """Show address and subject of a message, once, to who asks."""
    row = messages.find(tenant_id, visit.path["message_id"], reveal=True)
    return revealed(visit, "Address and subject", [_line(row)])


def _resolved(sent: bool, told: str) -> Callable[[Visit], Done]:
    """Return an action that says of an unknown message whether it was sent."""

    def act(visit: Visit, tenant_id: str) -> Done:
        by = visit.principal.name
        reconciling.resolve(tenant_id, visit.path["message_id"], sent=sent, by=by)
        return Done(told, {"sent": sent})

    return on_tenant(act)


routes = [
    page(_LIST, "outreach/messages", _read, title="Messages", nav="outreach", seconds=3),
    page(_ONE, "outreach/message", _read_one, title="Message", nav="outreach"),
    action(f"{_LIST}/reveal", _reveal, name="outreach.reveal_messages"),
    action(f"{_ONE}/reveal", on_tenant(_reveal_one), name="outreach.reveal_message"),
    action(
        f"{_ONE}/sent",
        _resolved(True, "It counts as sent; what follows on it follows."),
        name="message.resolve_sent",
    ),
    action(
        f"{_ONE}/not-sent",
        _resolved(False, "It counts as not sent, and is sent again."),
        name="message.resolve_not_sent",
    ),
]
