"""The campaigns that are measured: a sender at the sandbox, and any number of contacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from models import Tenant
from models.outreach import MODELS
from pipeline.outreach import campaigns, enrolling, importing, senders
from pipeline.sandbox.population import EMAIL_DOMAIN
from pipeline.stores import collection

TENANT, BY = "bench", "bench"
#: No limit shall be what is measured.
NO_LIMIT = 100_000_000
SETTINGS = {
    f"OUTREACH_{name}": str(NO_LIMIT)
    for name in (
        *("EMAIL_PER_MINUTE", "EMAIL_PER_HOUR", "EMAIL_PER_DAY"),
        *("TENANT_PER_HOUR", "DOMAIN_PER_HOUR", "TOTAL_PER_HOUR"),
    )
}
_HEADING = "email,first_name,time_zone"
_ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo")


def start_over() -> None:
    """Forget every contact, campaign and message of before."""
    for model in (Tenant, *MODELS):
        collection(model).delete_many({})


def bring_in(count: int) -> None:
    """Import so many contacts from a CSV file."""
    report = importing.import_csv(TENANT, _lines(count), file_name="bench.csv", by=BY)
    if report["created"] != count:
        raise RuntimeError(f"{report['created']:,} contacts came in, not {count:,}")


def draft(name: str, plan: dict[str, Any]) -> str:
    """Make a campaign for all contacts; return its id."""
    values = {"name": name, "provider": "sendgrid", "address": f"{name}@{EMAIL_DOMAIN}"}
    sender_id = senders.create(TENANT, values, by=BY)
    senders.verify(TENANT, sender_id, by=BY)
    campaign_id = campaigns.create(TENANT, name=name, email_sender_id=sender_id, by=BY)
    campaigns.publish(TENANT, campaign_id, plan, by=BY)
    enrolling.enroll_all(TENANT, campaign_id, by=BY)
    return campaign_id


def plan(nodes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a plan without quiet hours, which begins with the first of `nodes`."""
    made = list(nodes)
    return {"version": "1.0", "timezone": "UTC", "startNodeId": made[0]["id"], "nodes": made}


def mail(name: str, *transitions: dict[str, str]) -> dict[str, Any]:
    """Return a node that sends a mail."""
    return {
        "id": name,
        "channel": "email",
        "action": "send",
        "subject": f"{name} for {{{{ contact.first_name }}}}",
        "body": "<p>Hello {{ contact.first_name }}, "
        '<a href="https://bench.example/offer">look at this</a>.</p>',
        "transitions": list(transitions),
    }


def wait(name: str, **ways: str) -> dict[str, Any]:
    """Return a node that waits for three days; `ways` are where each event leads."""
    timed = {on: {"after": "P3D"} if on.startswith("no_") else {} for on in ways}
    transitions = [{"on": on, "to": to, **timed[on]} for on, to in ways.items()]
    return {"id": name, "channel": "email", "action": "wait", "transitions": transitions}


def _lines(count: int) -> Iterator[str]:
    yield f"{_HEADING}\n"
    for number in range(count):
        zone = _ZONES[number % len(_ZONES)]
        yield f"reader{number}@d{number % 1000}.bench.example,Reader {number},{zone}\n"
