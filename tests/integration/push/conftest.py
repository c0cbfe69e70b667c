"""Push that is configured, and users who have it."""

from __future__ import annotations

import pytest
from pushed import ACCOUNT, NOWHERE, TOPIC, Pushed, connected, no_jobs

from pipeline.sandbox.client import SandboxClient


@pytest.fixture
def configured(setting: object, sandbox_url: str) -> None:
    """Settings under which Google pushes; what it pushes arrives nowhere."""
    assert callable(setting)
    setting(
        PUBLIC_BASE_URL=NOWHERE,
        GOOGLE_PUBSUB_TOPIC=TOPIC,
        GOOGLE_PUBSUB_SERVICE_ACCOUNT=ACCOUNT,
        GOOGLE_CERTS_URL=f"{sandbox_url}/oauth2/v1/certs",
    )


@pytest.fixture
def user(sandbox: SandboxClient, configured: None) -> Pushed:
    """A user whose calendars and mails were synced once, and nothing is queued."""
    sandbox.settings(push_attempts=1, gmail_push_interval_seconds=0)
    sandbox.topic(TOPIC, f"{NOWHERE}/webhooks/google/gmail")
    found = connected(sandbox)
    for source in ("google_calendar", "google_gmail"):
        found.sync(source)
    no_jobs()
    return found
