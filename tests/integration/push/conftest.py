"""Push that is configured, and users who have it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from pushed import ACCOUNT, NOWHERE, TOPIC, Pushed, connected, no_jobs
from starlette.applications import Starlette

from pipeline.sandbox.app import bind
from pipeline.sandbox.client import SandboxClient
from pipeline.web import webhooks


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


@pytest.fixture
def address(servers: dict[str, str]) -> Iterator[str]:
    """Where the webhooks are served."""
    listening = bind("127.0.0.1", 0)
    app = Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()
