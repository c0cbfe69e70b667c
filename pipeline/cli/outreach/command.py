"""The command as `headrace` loads it: the app with all its groups."""

from pipeline.cli.outreach import (
    campaign_acts,
    campaign_plans,
    campaigns,
    contact_files,
    contacts,
    enrollments,
    messages,
    sender_acts,
    sender_changes,
    senders,
    suppressions,
    tenants,
)
from pipeline.cli.outreach.app import app

__all__ = [
    "app",
    "campaign_acts",
    "campaign_plans",
    "contact_files",
    "sender_acts",
    "sender_changes",
]

app.add_typer(tenants.app, name="tenants")
app.add_typer(senders.app, name="senders")
app.add_typer(contacts.app, name="contacts")
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(enrollments.app, name="enrollments")
app.add_typer(messages.app, name="messages")
app.add_typer(suppressions.app, name="suppressions")
