"""What a message says to one contact, ready to be handed to a provider."""

from __future__ import annotations

from dataclasses import replace

from pipeline.outreach import channels, links, templates, tracking
from pipeline.outreach.channels import Outgoing
from pipeline.outreach.sending.errand import Errand
from pipeline.outreach.templates import Content


def compose(errand: Errand) -> Outgoing:
    """Return the message.  Raises Permanent if its template cannot be filled in."""
    is_mail = errand.action["channel"] == "email"
    return Outgoing(
        message_id=errand.message_id,
        to=errand.address,
        content=_content(errand),
        headers=links.headers(errand.message_id) if is_mail else {},
        message_id_header=_message_id_header(errand) if is_mail else "",
        custom_args=_custom_args(errand),
        status_url="" if is_mail else links.status_url(errand.sender["_id"], errand.message_id),
    )


def _content(errand: Errand) -> Content:
    values = templates.values_of(
        errand.contact,
        errand.sender,
        errand.tenant or None,
        unsubscribe_url=links.unsubscribe_url(errand.message_id),
    )
    content = templates.render(errand.node, values)
    if not channels.of(errand.sender).own_tracking:
        return content
    html = content.html and tracking.tracked(content.html, errand.message_id)
    return replace(content, html=html, text=tracking.tracked_text(content.text, errand.message_id))


def _message_id_header(errand: Errand) -> str:
    """Return the Message-ID of mail: the same in every attempt, also from another sender."""
    domain = str(errand.sender["address"]).rpartition("@")[2]
    return errand.message.get("message_id_header") or f"<{errand.message_id}@{domain}>"


def _custom_args(errand: Errand) -> dict[str, str]:
    action = errand.action
    return {
        "tenant_id": action["tenant_id"],
        "campaign_id": action["campaign_id"],
        "node_id": action["node_id"],
        "outbound_message_id": errand.message_id,
        "dedupe_key": errand.dedupe_key,
    }
