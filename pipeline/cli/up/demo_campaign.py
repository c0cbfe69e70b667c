"""The demo's campaign: a welcome with short timers, to people of every habit around the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models import Campaign, SenderIdentity
from models.user import DEFAULT_TENANT as TENANT
from pipeline.config import settings
from pipeline.outreach import campaigns, enrolling, importing, senders
from pipeline.outreach.plans.examples import welcome
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

#: What campaign and sender are called, and who is said to have made them.
NAME = "Demo"
_BY = "headrace up"

#: What the sandbox's people do with a mail, seconds after it was delivered, by the second part of
#: their address: ada.reads@harbour.example.  Whoever has such an address has the habit too.
HABITS: Mapping[str, Mapping[str, Any]] = {
    "opens": {"opens_after": 12},
    "reads": {"opens_after": 10, "clicks_after": 20},
    "clicks": {"clicks_after": 15},
    "replies": {"opens_after": 10, "replies_after": 20},
    "leaves": {"opens_after": 8, "unsubscribes_after": 16},
    "complains": {"opens_after": 6, "reports_spam_after": 14},
    "bounces": {"arrival": "bounced"},
    "scanned": {"machine_opens_after": 2},
    "silent": {},
}
_PEOPLE: Mapping[str, str] = {
    "opens": "Ada Ben Cleo Dina Emil Femi",
    "reads": "Gus Hana Ines Jon Kai",
    "clicks": "Lena Milo Nora",
    "replies": "Otto Pia Quin",
    "leaves": "Rosa Sven",
    "complains": "Tara",
    "bounces": "Udo Vera",
    "scanned": "Walt Xenia",
    "silent": "Yara Zeno Abel Bea Carl Dora",
}
_COMPANIES = ("Harbour", "Quarry", "Orchard", "Foundry")
_ZONES = (
    *("Europe/Berlin", "America/New_York", "Asia/Kolkata"),
    *("America/Los_Angeles", "Asia/Tokyo", "America/Sao_Paulo"),
)
#: What takes days in the welcome takes a minute or two here.
_SHORT = {"PT72H": "PT2M", "PT24H": "PT1M", "P1W": "PT1M", "P1D": "PT20S"}


def make(sandbox: SandboxClient, user: Mapping[str, Any]) -> str:
    """Have the campaign be under way, sent by a user of the sandbox; return its id.

    One that was started before is left as it is, whatever became of it.
    """
    for habit, acts in HABITS.items():
        sandbox.recipient(f"*.{habit}@*", **acts)
    found = collection(Campaign).find_one({"tenant_id": TENANT, "name": NAME, "created_by": _BY})
    if found is not None and found["status"] != "draft":
        return str(found["_id"])
    sender_id = _sender(str(user["user"]), str(user["email"]))
    campaign_id = (
        str(found["_id"])
        if found is not None
        else campaigns.create(TENANT, name=NAME, email_sender_id=sender_id, by=_BY)
    )
    campaigns.publish(TENANT, campaign_id, plan(), by=_BY)
    report = importing.import_csv(TENANT, people(), file_name="demo.csv", by=_BY)
    enrolling.enroll_all(TENANT, campaign_id, str(report["_id"]), by=_BY)
    campaigns.activate(TENANT, campaign_id, by=_BY)
    return campaign_id


def where(campaign_id: str) -> str:
    """Return in one line where the campaign can be seen."""
    page = f"{settings().public_base_url}/admin/outreach/{TENANT}/campaigns/{campaign_id}"
    return f"{page}, `headrace outreach campaigns show {NAME}`, `headrace sandbox inbox`"


def plan() -> dict[str, Any]:
    """Return the welcome with short timers, quiet for few of the people at a time."""
    hastened: dict[str, Any] = _hastened(welcome())
    return hastened | {"quietHours": {"start": "00:00", "end": "05:00"}}


def people() -> Iterator[str]:
    """Yield the lines of a CSV file with the people."""
    yield "email,first_name,company,time_zone\n"
    named = [(name, habit) for habit, names in _PEOPLE.items() for name in names.split()]
    for number, (name, habit) in enumerate(named):
        company = _COMPANIES[number % len(_COMPANIES)]
        address = f"{name}.{habit}@{company}.example".lower()
        yield f"{address},{name},{company},{_ZONES[number % len(_ZONES)]}\n"


def _sender(user_id: str, address: str) -> str:
    """Return the verified sender with the address of a user, who gets the replies too."""
    known = {"tenant_id": TENANT, "channel": "email", "address": address}
    found = collection(SenderIdentity).find_one(known)
    if found is None:
        values = {"name": NAME, "provider": "sendgrid", "address": address, "user_id": user_id}
        sender_id = senders.create(TENANT, values, by=_BY)
    else:
        sender_id = str(found["_id"])
    if found is None or found["status"] != "verified":
        senders.verify(TENANT, sender_id, by=_BY)
    return sender_id


def _hastened(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _hastened(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_hastened(value) for value in part]
    return _SHORT.get(part, part) if isinstance(part, str) else part
