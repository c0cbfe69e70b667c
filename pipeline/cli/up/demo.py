"""Demo users: made in the sandbox and connected, while the workers are already at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import requests

from models import Connection
from pipeline.cli.connecting import look_for_due_now
from pipeline.config import settings
from pipeline.connect import connect_google, connect_microsoft
from pipeline.errors import Misconfigured, Transient
from pipeline.sandbox.client import SandboxClient, SandboxError
from pipeline.stores import collection

#: Users are made and connected in groups, so that syncing begins with the first.
_GROUP = 5
_HEALTHY_WITHIN_SECONDS = 60.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0


class DemoUsers:
    """Makes and connects `count` users in a thread of its own, then what one of them is for."""

    def __init__(
        self,
        sandbox_url: str,
        count: int,
        on_event: Callable[[str, str], None],
        *,
        with_campaign: bool,
    ) -> None:
        """`on_event` is called with whose news it is, and what has happened."""
        self.count = count
        self.connected = 0
        #: Where the campaign can be seen, once it is there.
        self.campaign_is_at = ""
        self._on_event = on_event
        self._with_campaign = with_campaign
        self._sandbox = SandboxClient(sandbox_url)
        # A sandbox that somebody else has started may be Google alone.
        self._with_mailboxes = settings().microsoft_graph_base_url == sandbox_url
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="demo-users", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up what is not made yet."""
        self._stop.set()

    def are_ready(self) -> bool:
        """Return whether all are connected.  Raises what went wrong in the thread."""
        if self._error is not None:
            raise self._error
        return self.connected == self.count

    def _run(self) -> None:
        try:
            self._await_sandbox()
            self._let_mailboxes_push()
            self._let_mail_be_told_of()
            for so_far in [*range(_GROUP, self.count, _GROUP), self.count]:
                if self._stop.is_set():
                    return
                self._make(so_far)
            if self._with_campaign and _sends_by(self._sandbox):
                self._make_campaign()
                self._show_platform()
        except Exception as error:  # noqa: BLE001 - raised again where it can be told, in are_ready
            self._error = error
        finally:
            self._sandbox.close()

    def _let_mailboxes_push(self) -> None:
        """Make the Pub/Sub topic, as an operator does once in a Google Cloud project."""
        now = settings()
        if now.google_pubsub_topic:
            endpoint = f"{now.public_base_url}/webhooks/google/gmail"
            self._sandbox.topic(now.google_pubsub_topic, endpoint)

    def _let_mail_be_told_of(self) -> None:
        """Set up the Event Webhook, as an operator does once in a SendGrid account."""
        if _sends_by(self._sandbox):
            endpoint = f"{settings().public_base_url}/webhooks/sendgrid/events"
            self._sandbox.sendgrid_webhook(endpoint)

    def _await_sandbox(self) -> None:
        deadline = time.monotonic() + _HEALTHY_WITHIN_SECONDS
        while not self._stop.is_set():
            try:
                self._sandbox.health()
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise Transient("the sandbox does not answer; see its log") from None
                self._stop.wait(_POLL_SECONDS)
            except (SandboxError, requests.JSONDecodeError):
                raise Misconfigured("GOOGLE_API_BASE_URL names no sandbox") from None
            else:
                return

    def _make(self, so_far: int) -> None:
        """Make the users up to number `so_far`, and connect those that are not."""
        users = self._sandbox.add_users(so_far)[self.connected :]
        names = [user["user"] for user in users]
        # A user that is new in the sandbox makes an older grant worthless.
        new = {user["user"] for user in users if user["created"]}
        for name in _not_active(names, "google") | new:
            connect_google(name, self._sandbox.authorized_user(name))
        if self._with_mailboxes:
            self._sandbox.add_mailboxes(names)
            for name in _not_active(names, "microsoft") | new:
                connect_microsoft(name, self._sandbox.microsoft_grant(name))
        self.connected = so_far
        look_for_due_now()

    def _make_campaign(self) -> None:
        """Start the campaign; without one, all else goes on."""
        from pipeline.cli.up import demo_campaign  # all of outreach: syncing began without it

        try:
            [first] = self._sandbox.add_users(1)
            self.campaign_is_at = demo_campaign.where(demo_campaign.make(self._sandbox, first))
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            self._on_event("demo", f"no campaign: {error or type(error).__name__}")
        else:
            self._on_event("demo", f"a campaign is under way: {self.campaign_is_at}")

    def _show_platform(self) -> None:
        """Ask AI of a thread and mail a digest; without them, all else goes on."""
        from pipeline.cli.up import demo_platform

        try:
            [first] = self._sandbox.add_users(1)
            user = str(first["user"])
            while not demo_platform.is_ready(user):
                if self._stop.wait(_LOOK_SECONDS):
                    return
            if where := demo_platform.ask(user):
                self._on_event("demo", f"a thread is summarized and categorized: {where}")
            if demo_platform.mail_digest(user):
                self._on_event("demo", "a digest is mailed: `headrace sandbox inbox`")
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            self._on_event("demo", f"no summary or digest: {error or type(error).__name__}")


def _sends_by(sandbox: SandboxClient) -> bool:
    """Return whether mail goes to the sandbox: one that somebody else started may lack that."""
    return settings().sendgrid_api_base_url == sandbox.base_url


def _not_active(names: list[str], provider: str) -> set[str]:
    """Return those of these users who have no connection to a provider that serves."""
    wanted = {"user_id": {"$in": names}, "provider": provider, "status": "active"}
    return set(names) - set(collection(Connection).distinct("user_id", wanted))
