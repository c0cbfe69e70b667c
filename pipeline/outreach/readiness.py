"""Whether a campaign can be started: all that speaks against it, by path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models import Tenant
from pipeline.config import settings
from pipeline.outreach import channels, plans, templates
from pipeline.outreach.campaign_rows import find, sender_of
from pipeline.outreach.plans import Plan, Problem
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

#: Stands for the link of a message that does not exist yet.
SOME_LINK = "https://example.org/u/link"


class NotReady(Refused):
    """A campaign cannot be started; `problems` are all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.path, "; ".join([first.message, *map(str, problems[1:])]))
        self.problems = list(problems)


def readiness(tenant_id: str, campaign_id: str) -> list[Problem]:
    """Return why a campaign cannot be started, nothing if it can.  Raises Gone."""
    campaign = find(tenant_id, campaign_id)
    if not campaign["plan_version"]:
        return [Problem("plan", "there is none; publish one first")]
    return problems_of(campaign, plans.stored(campaign_id, campaign["plan_version"]))


def problems_of(campaign: Row, plan: Plan) -> list[Problem]:
    """Return why a campaign cannot be under way with a plan."""
    found = [*_address(plan)]
    found += [
        problem for channel in sorted(plan.channels) for problem in _sender(campaign, channel)
    ]
    return found or [*_unreportable(campaign, plan), *_unset(campaign, plan)]


def _address(plan: Plan) -> Iterator[Problem]:
    """Yield that nobody could unsubscribe: the links of mail would lead to this machine alone."""
    if "email" in plan.channels and not settings().public_base_url:
        said = "it is empty, so that links to unsubscribe would lead nowhere; set the web's address"
        yield Problem("PUBLIC_BASE_URL", said)


def _sender(campaign: Row, channel: str) -> Iterator[Problem]:
    """Yield what is wrong with the sender of a channel that the plan uses."""
    path, sender = f"{channel}_sender_id", sender_of(campaign, channel)
    if not campaign.get(path):
        yield Problem(path, f"the plan sends {channel}; choose a sender for it")
    elif sender is None:
        yield Problem(path, "there is no such sender any more; choose another")
    elif sender["channel"] != channel:
        yield Problem(path, f"this sender sends {sender['channel']}; choose one for {channel}")
    elif sender["status"] != "verified":
        why = f" ({sender['status_reason']})" if sender.get("status_reason") else ""
        yield Problem(path, f"this sender is {sender['status']}{why}; verify it")


def _unreportable(campaign: Row, plan: Plan) -> Iterator[Problem]:
    """Yield the transitions on events that the provider of their sender never tells of."""
    reports = {}
    for channel in plan.channels:
        sender = sender_of(campaign, channel)
        if sender is not None:
            reports[channel] = channels.of(sender).reports
    yield from plans.unreportable(plan, reports)


def _unset(campaign: Row, plan: Plan) -> Iterator[Problem]:
    """Yield the messages that name what the tenant or sender has not set: none could be sent."""
    tenant = collection(Tenant).find_one({"_id": campaign["tenant_id"]})
    for index, node in enumerate(plan.nodes):
        if node.action != "send":
            continue
        sender = sender_of(campaign, node.channel or "") or {}
        values = templates.values_of({}, sender, tenant, unsubscribe_url=SOME_LINK)
        try:
            templates.render(node, values)
        except templates.MissingField as missing:
            names = [name for name in missing.names if not name.startswith("contact.")]
            if names:
                said = f"nothing is set for {', '.join(names)}; set it, or take it out"
                yield Problem(f"nodes[{index}]", said)
        except templates.TemplateProblem:
            continue  # this one may be about what nobody knows of a contact yet
