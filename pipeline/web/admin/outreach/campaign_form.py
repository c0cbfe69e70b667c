"""The Settings page of a campaign, and its Enroll page: who is taken through it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from models.outreach import CHANNELS
from pipeline.outreach import campaigns as service
from pipeline.outreach import enrolling
from pipeline.outreach.enrolling import Enrolled
from pipeline.outreach.reading import contacts
from pipeline.outreach.reading.campaigns import CampaignRow
from pipeline.web.admin.outreach.campaign import (
    ONE,
    framed_campaign,
    on_campaign,
    url_of_campaign,
)
from pipeline.web.admin.outreach.common import sender_choices, url_of
from pipeline.web.pages import Conflict, Done, Visit, action, page

_MOST_PASTED = 20_000
_MOST_IMPORTS = 50


def _read_settings(visit: Visit) -> Mapping[str, Any]:
    tenant_id = visit.path["tenant_id"]

    def read(_: CampaignRow) -> dict[str, Any]:
        return {channel: sender_choices(tenant_id, channel) for channel in CHANNELS}

    return framed_campaign(visit, "/settings", read)


def _save(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    service.update(
        tenant_id,
        campaign_id,
        name=visit.said("name"),
        description=visit.said("description"),
        email_sender_id=visit.said("email_sender_id"),
        sms_sender_id=visit.said("sms_sender_id"),
        by=visit.principal.name,
    )
    return Done("It is set.", location=url_of_campaign(tenant_id, campaign_id))


def _delete(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    service.delete(tenant_id, campaign_id, by=visit.principal.name)
    return Done("The draft is gone.", location=url_of(tenant_id))


def _read_enroll(visit: Visit) -> Mapping[str, Any]:
    tenant_id = visit.path["tenant_id"]

    def read(_: CampaignRow) -> dict[str, Any]:
        found = contacts.imports(tenant_id, _MOST_IMPORTS).rows
        return {"imports": [(row["_id"], _called(row)) for row in found]}

    return framed_campaign(visit, "/contacts", read)


def _called(row: Mapping[str, Any]) -> str:
    taken = row["created"] + row["updated"] + row["unchanged"]
    return f"{row.get('file_name') or 'a file'}, {row['created_at']:%Y-%m-%d}: {taken:,} contacts"


def _enroll_all(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    by = visit.principal.name
    return _told(enrolling.enroll_all(tenant_id, campaign_id, by=by), tenant_id, campaign_id)


def _enroll_import(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    import_id = visit.said("import_id")
    if not import_id:
        raise Conflict("No import is chosen.")
    contacts.one_import(tenant_id, import_id)
    by = visit.principal.name
    done = enrolling.enroll_all(tenant_id, campaign_id, import_id=import_id, by=by)
    return _told(done, tenant_id, campaign_id)


def _enroll_ids(visit: Visit, tenant_id: str, campaign_id: str) -> Done:
    ids = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", visit.said("contact_ids")))))
    if not ids:
        raise Conflict("No contact is named.")
    if len(ids) > _MOST_PASTED:
        raise Conflict(f"At most {_MOST_PASTED:,} at once; import a file for more.")
    done = enrolling.enroll(tenant_id, campaign_id, ids, by=visit.principal.name)
    return _told(done, tenant_id, campaign_id)


def _told(done: Enrolled, tenant_id: str, campaign_id: str) -> Done:
    counts = {"added": done.added, "already": done.already, "refused": done.refused}
    text = f"Added: {done.added:,}. Already in it: {done.already:,}."
    if done.refused:
        text += f" Not taken: {done.refused:,}, because there is no such contact or no address."
    return Done(text, counts, url_of_campaign(tenant_id, campaign_id))


_ENROLL = f"{ONE}/contacts"
routes = [
    page(
        f"{ONE}/settings",
        "outreach/campaign_settings",
        _read_settings,
        title="Settings",
        nav="outreach",
        seconds=3600,
    ),
    page(
        _ENROLL,
        "outreach/campaign_contacts",
        _read_enroll,
        title="Enroll",
        nav="outreach",
        seconds=3600,
    ),
    action(f"{ONE}/settings/save", on_campaign(_save), name="campaign.set"),
    action(f"{ONE}/delete", on_campaign(_delete), name="campaign.delete"),
    action(f"{_ENROLL}/all", on_campaign(_enroll_all), name="campaign.enroll_all"),
    action(f"{_ENROLL}/import", on_campaign(_enroll_import), name="campaign.enroll_import"),
    action(f"{_ENROLL}/ids", on_campaign(_enroll_ids), name="campaign.enroll"),
]
