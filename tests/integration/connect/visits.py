"""Users who connect accounts, in browsers of their own, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prometheus_client import REGISTRY
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from web_forms import Browser

from models import Connection, SyncState
from pipeline.clients.credentials import read_secrets
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection
from pipeline.web.connect.links import connect_link

AUTH = "https://www.googleapis.com/auth/"
SOURCES = ["google_calendar", "google_gmail", "google_contacts", "google_tasks"]


@dataclass
class Visits:
    """The web at `web_url`, in front of `sandbox`."""

    web_url: str
    sandbox: SandboxClient

    def browser(self) -> Browser:
        """Return a new browser; it names the origin of our pages, as browsers do with forms."""
        return Browser((self.web_url, self.sandbox.base_url), {"Origin": self.web_url})

    def account(self, name: str = "ada", **size: int) -> str:
        """Make an account at Google and return its address."""
        self.sandbox.add_user(name, **({"calendars": 1, "task_lists": 1} | size))
        return f"{name}@sandbox.example"

    def leave(
        self, user_id: str, *untick: str, browser: Browser | None = None, **link: Any
    ) -> Browser:
        """Open a link and go on to Google, without some of the boxes."""
        browser = browser or self.browser()
        browser.open(connect_link(user_id, **link))
        browser.press("Continue to Google", *untick)
        return browser

    def connect(
        self,
        user_id: str,
        account: str = "",
        *deny: str,
        browser: Browser | None = None,
        **link: Any,
    ) -> Browser:
        """Connect an account, and deny the scopes that end so."""
        browser = self.leave(user_id, browser=browser, **link)
        if account and any(account in form.buttons for form in browser.forms):
            browser.press(account)
        if any("Continue" in form.buttons for form in browser.forms):
            browser.press("Continue", *(AUTH + scope for scope in deny))
        return browser

    def callback_of(self, user_id: str, account: str) -> tuple[Browser, str]:
        """Return a browser that is about to come back, and the address that it would open."""
        browser = self.leave(user_id)
        browser.press(account)
        browser.hosts = (self.sandbox.base_url,)
        browser.press("Continue")
        browser.hosts = (self.web_url, self.sandbox.base_url)
        return browser, browser.visited[-1]


def connection_of(user_id: str) -> Row | None:
    return collection(Connection).find_one({"user_id": user_id})


def refresh_token_of(user_id: str) -> str:
    connection = connection_of(user_id)
    assert connection
    return str(read_secrets(connection)["refresh_token"])


def statuses_of(user_id: str) -> dict[str, str]:
    rows = collection(SyncState).find({"user_id": user_id})
    return {row["source"]: row["status"] for row in rows}


def state_of(user_id: str, source: str) -> Row:
    row = collection(SyncState).find_one({"user_id": user_id, "source": source})
    assert row
    return row


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def dead_redis() -> Redis:
    """A client of a Redis that does not answer."""
    return Redis(port=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), retries=0))


def ended(outcome: str, provider: str = "google") -> float:
    """How often connecting ended so."""
    labels = {"provider": provider, "outcome": outcome}
    return REGISTRY.get_sample_value("headrace_connects_total", labels) or 0.0
