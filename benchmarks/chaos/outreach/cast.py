"""Who takes part in a run: tenants, senders, contacts in campaigns, and their habits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import isodate

from benchmarks.chaos.outreach.plan import TENANTS, Campaign, Contact, Kind, Plan
from pipeline.config import settings
from pipeline.outreach import campaign_status, campaigns, contacts, enrolling, links, senders
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.outreach.twilio_client import have_number
from pipeline.sandbox.population import EMAIL_DOMAIN

_BY = "chaos"
#: Mails and text messages that each sender may send in any minute: fewer than there are.
SENDS_PER_MINUTE = 120
#: Whom mail is from, by provider: the sandbox knows them.  Each tenant has a number of its own.
_ADDRESSES = {"sendgrid": f"team@{EMAIL_DOMAIN}", "smtp": f"post@{EMAIL_DOMAIN}"}
#: Which senders a kind of campaign needs, by channel.
_PROVIDERS: dict[Kind, dict[str, str]] = {
    "mixed": {"email": "sendgrid", "sms": "twilio"},
    "smtp": {"email": "smtp"},
    "sms": {"sms": "twilio"},
}


@dataclass(frozen=True, slots=True)
class Member:
    """A contact in a campaign, and the zone that its clock shows the time of."""

    contact: Contact
    campaign: Campaign
    zone: str

    @property
    def kind(self) -> Kind:
        """What the campaign is sent over."""
        return self.campaign.kind

    def sends(self, node_id: str) -> bool:
        """Return whether a node sends, rather than waits."""
        return bool(self._node(node_id)["action"] == "send")

    def after(self, node_id: str, event: str) -> timedelta:
        """Return after how long the plan takes `event` for what has happened at a node."""
        ways = self._node(node_id)["transitions"]
        [stated] = [way["after"] for way in ways if way["on"] == event]
        duration = isodate.parse_duration(stated)
        assert isinstance(duration, timedelta)  # no months here
        return duration

    def _node(self, node_id: str) -> dict[str, Any]:
        return next(node for node in self.campaign.plan["nodes"] if node["id"] == node_id)


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything that a run plays with: (tenant, id) of each campaign, and who is enrolled."""

    campaigns: list[tuple[str, str]]
    members: dict[str, Member]

    @property
    def tenant_ids(self) -> list[str]:
        """The tenants."""
        return sorted({tenant_id for tenant_id, _ in self.campaigns})

    def in_campaign(self, campaign_id: str) -> list[str]:
        """Return the enrollments of a campaign, in the order of its contacts."""
        return [one for one in self.members if one.startswith(f"{campaign_id}:")]

    def of(self, tenant_id: str) -> list[str]:
        """Return the enrollments of a tenant."""
        return [one for one, member in self.members.items() if member.campaign.tenant == tenant_id]


def engage(plan: Plan, sandbox: SandboxClient, zones: dict[str, str]) -> Cast:
    """Make all of a run's tenants, senders and campaigns, and enroll its contacts.

    `zones` are the names of the zones by that of their clock.
    """
    made: list[tuple[str, str]] = []
    members: dict[str, Member] = {}
    sender_ids: dict[tuple[str, str], str] = {}
    for campaign in plan.campaigns:
        campaign_id = _campaign(campaign, sender_ids)
        made.append((campaign.tenant, campaign_id))
        ids = []
        for contact in campaign.contacts:
            _give_habits(sandbox, contact)
            zone = zones[contact.clock]
            ids.append(_contact(campaign.tenant, contact, zone))
            members[f"{campaign_id}:{ids[-1]}"] = Member(contact, campaign, zone)
        enrolling.enroll(campaign.tenant, campaign_id, ids, by=_BY)
    return Cast(made, members)


def begin(cast: Cast) -> None:
    """Activate all campaigns."""
    for tenant_id, campaign_id in cast.campaigns:
        campaign_status.activate(tenant_id, campaign_id, by=_BY)


def _campaign(campaign: Campaign, sender_ids: dict[tuple[str, str], str]) -> str:
    chosen = {}
    for channel, provider in _PROVIDERS[campaign.kind].items():
        key = campaign.tenant, provider
        if key not in sender_ids:
            sender_ids[key] = _sender(*key)
        chosen[f"{channel}_sender_id"] = sender_ids[key]
    campaign_id = campaigns.create(campaign.tenant, name=campaign.name, by=_BY, **chosen)
    campaigns.publish(campaign.tenant, campaign_id, campaign.plan, by=_BY)
    return campaign_id


def _sender(tenant_id: str, provider: str) -> str:
    values = {
        "name": f"Chaos by {provider}",
        "provider": provider,
        "address": _ADDRESSES.get(provider) or _number(tenant_id),
        "limits": {"per_minute": SENDS_PER_MINUTE},
    }
    sender_id = senders.create(tenant_id, values, by=_BY)
    if provider == "twilio":
        url = links.inbound_url(sender_id)
        have_number(settings().twilio_api_base_url, _number(tenant_id), sms_url=url)
    senders.verify(tenant_id, sender_id, by=_BY)
    return sender_id


def _number(tenant_id: str) -> str:
    """Return a number of New York's, by what tells the tenants of all seeds apart."""
    _, seed, tenant = tenant_id.split("-")
    return f"+1212300{(int(seed) * TENANTS + int(tenant)) % 10_000:04}"


def _contact(tenant_id: str, contact: Contact, zone: str) -> str:
    values = {
        "email": contact.email,
        "phone": contact.phone,
        "first_name": contact.name,
        "time_zone": zone,
    }
    return contacts.create(tenant_id, values, by=_BY)


def _give_habits(sandbox: SandboxClient, contact: Contact) -> None:
    habits = {
        "arrival": "bounced" if contact.bounces else "delivered",
        "opens_after": contact.opens_after,
        "clicks_after": contact.clicks_after,
        "replies_after": contact.replies_after,
        "unsubscribes_after": contact.unsubscribes_after,
        "reports_spam_after": contact.complains_after,
    }
    for address in (contact.email, contact.phone):
        sandbox.recipient(address, **habits)
