"""The contacts that are in campaigns: where each is, and one's story with what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models.outreach import ENROLLMENT_OVER, ENROLLMENT_STATUSES
from pipeline.outreach import enrollments as service
from pipeline.outreach.plans import stored
from pipeline.outreach.reading import campaigns, enrollments, scheduled, timeline
from pipeline.outreach.reading.enrollments import EnrollmentRow, Filter
from pipeline.outreach.reading.pages import Page
from pipeline.outreach.reading.timeline import Moment
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
    tabs,
    url_of,
)
from pipeline.web.pages import Done, Visit, action, page
from pipeline.web.paths import segment

_KEPT = ("campaign", "status", "node", "contact")
_LABELS = {"": "All"} | {status: status.capitalize() for status in ENROLLMENT_STATUSES}
_LIST = f"{TENANT}/enrollments"
_ONE = f"{_LIST}/{{enrollment_id:id}}"


def _wanted(visit: Visit) -> Filter:
    return Filter(
        campaign_id=said(visit, "campaign"),
        contact_id=said(visit, "contact"),
        status=one_of(visit, "status", ENROLLMENT_STATUSES),
        node_id=said(visit, "node"),
    )


def _listed(visit: Visit, *, reveal: bool = False) -> Page[EnrollmentRow]:
    tenant_id, after = visit.path["tenant_id"], said(visit, "after")
    return enrollments.listed(
        tenant_id, PER_PAGE, after=after, wanted=_wanted(visit), reveal=reveal
    )


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id, wanted = visit.path["tenant_id"], _wanted(visit)

    def read() -> dict[str, Any]:
        return {
            **paged(visit, _KEPT, _listed(visit)),
            "campaigns": campaign_choices(tenant_id),
            "nodes": _nodes(tenant_id, wanted.campaign_id),
        }

    return framed(visit, "/enrollments", read) | {
        "wanted": wanted,
        "tabs": tabs(visit, _KEPT, "status", _LABELS),
        "scope": scope(visit, _KEPT),
    }


def _nodes(tenant_id: str, campaign_id: str) -> list[tuple[str, str]]:
    """Return the steps of a campaign's newest plan, to choose from."""
    if not campaign_id:
        return []
    campaign = campaigns.find(tenant_id, campaign_id).campaign
    number = campaign["plan_version"]
    nodes = stored(campaign_id, number).nodes if number else []
    return [(node.id, node.id) for node in nodes]


def _line(row: EnrollmentRow) -> str:
    return f"{row.who}  {row.name}".strip()


_reveal = revealing(_KEPT, partial(_listed, reveal=True), _line, "Contacts")


def _read_one(visit: Visit) -> Mapping[str, Any]:
    tenant_id, enrollment_id = visit.path["tenant_id"], visit.path["enrollment_id"]

    def read() -> dict[str, Any]:
        row = enrollments.find(tenant_id, enrollment_id)
        moments = timeline.of(tenant_id, enrollment_id)
        wanted = scheduled.Filter(enrollment_id=enrollment_id)
        return {
            "row": row,
            "is_over": row.enrollment["status"] in ENROLLMENT_OVER,
            "past": [_told(one, tenant_id) for one in moments if one.kind != "scheduled"],
            "coming": scheduled.listed(tenant_id, wanted=wanted).rows,
        }

    return framed(visit, "/enrollments", read) | {
        "own_url": f"{url_of(tenant_id)}/enrollments/{segment(enrollment_id)}"
    }


def _told(moment: Moment, tenant_id: str) -> dict[str, Any]:
    url = f"{url_of(tenant_id)}/messages/{segment(moment.message_id)}"
    return {
        "at": moment.at,
        "kind": moment.tone,
        "text": moment.text,
        "because": moment.because,
        "node": moment.node_id,
        "message_url": url if moment.message_id else "",
        "known_at": moment.recorded_at,
    }


def _reveal_one(visit: Visit, tenant_id: str) -> Done:
    """Show whom an enrollment is about, and its story in full, once, to who asks."""
    enrollment_id = visit.path["enrollment_id"]
    row = enrollments.find(tenant_id, enrollment_id, reveal=True)
    moments = timeline.of(tenant_id, enrollment_id, reveal=True)
    story = [f"{one.at:%Y-%m-%d %H:%M} UTC  {one.text}" for one in moments]
    return revealed(visit, "Contact and story", [_line(row), "", *story])


def _turned(turn: Callable[..., None], told: str) -> Callable[[Visit], Done]:
    """Return an action that changes the status of an enrollment, for a reason."""

    def act(visit: Visit, tenant_id: str) -> Done:
        reason = visit.said("reason")
        by = visit.principal.name
        turn(tenant_id, visit.path["enrollment_id"], by=by, reason=reason)
        return Done(told, {"reason": reason} if reason else {})

    return on_tenant(act)


routes = [
    page(_LIST, "outreach/enrollments", _read, title="Enrollments", nav="outreach", seconds=5),
    page(_ONE, "outreach/enrollment", _read_one, title="Enrollment", nav="outreach"),
    action(f"{_LIST}/reveal", _reveal, name="outreach.reveal_enrollments"),
    action(f"{_ONE}/reveal", on_tenant(_reveal_one), name="outreach.reveal_enrollment"),
    action(
        f"{_ONE}/pause",
        _turned(service.pause, "The contact stays where it is."),
        name="enrollment.pause",
    ),
    action(
        f"{_ONE}/resume",
        _turned(service.resume, "The contact goes on from where it is."),
        name="enrollment.resume",
    ),
    action(
        f"{_ONE}/stop",
        _turned(service.stop, "It has ended for this contact."),
        name="enrollment.stop",
    ),
]
