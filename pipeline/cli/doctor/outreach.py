"""Outreach: whether recipients reach us by links in messages, and providers by webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from pymongo.errors import PyMongoError

from models import OutreachDelivery, SenderIdentity
from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.config import public_base_url, settings
from pipeline.probes import mongodb_problem
from pipeline.stores import collection
from pipeline.words import counted


def check() -> Iterator[Finding]:
    """Yield what there is to say, once a sender was verified."""
    if mongodb_problem():  # told by the check of MongoDB
        return
    try:
        providers = collection(SenderIdentity).distinct("provider", {"status": "verified"})
        aside = collection(OutreachDelivery).count_documents({"status": "failed"})
    except PyMongoError:
        return
    if providers:
        yield _links()
    if "sendgrid" in providers and not settings().sendgrid_webhook_public_keys:
        yield wrong(
            "SendGrid's events",
            "SENDGRID_WEBHOOK_PUBLIC_KEYS is empty: none is taken, so bounces go unheeded",
            "set it to the key of the Event Webhook, from Mail Settings at SendGrid",
        )
    if aside:
        mend = "see them at Deliveries in the admin, and have them worked through again"
        yield note("deliveries", f"{counted(aside, 'request')} of providers set aside", mend)


def _links() -> Finding:
    about, address = "links in messages", public_base_url()
    if not settings().public_base_url:
        return wrong(
            about,
            f"PUBLIC_BASE_URL is empty: they lead to {address}, where no recipient comes,"
            " so nobody can unsubscribe",
            "set it to the address at which the web is reached from everywhere",
        )
    if not address.startswith("https://"):
        mend = "serve the web by https, and set PUBLIC_BASE_URL to that address"
        return note(about, "mail programs unsubscribe with one click by https alone", mend)
    return ok(about, f"lead to {address}")
