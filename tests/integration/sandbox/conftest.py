"""A sandbox in this process, and Google's own client library pointed at it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from google_client import Google
from push_receiver import Receiver, listening

from pipeline.sandbox.app import running
from pipeline.sandbox.client import SandboxClient

_NUMBERS = itertools.count(1)

NewUser = Callable[..., str]
SignIn = Callable[..., Google]


@pytest.fixture(scope="session")
def sandbox_base_url() -> Iterator[str]:
    with running() as base_url:
        yield base_url


@pytest.fixture
def sandbox(sandbox_base_url: str) -> Iterator[SandboxClient]:
    """Control over the sandbox: no faults, nothing used, quotas off."""
    client = SandboxClient(sandbox_base_url)
    client.settings(
        quotas_enabled=False, quota_scale=1.0, access_token_seconds=3600, rotation_grace_seconds=0
    )
    client.clear_usage()
    yield client
    client.clear_faults()
    client.close()


@pytest.fixture
def new_user(sandbox: SandboxClient) -> NewUser:
    """Make a user that has exactly what is asked for, and one calendar and task list."""

    def make(**size: int) -> str:
        name = f"someone{next(_NUMBERS)}"
        sandbox.add_user(name, **({"calendars": 1, "task_lists": 1} | size))
        return name

    return make


@pytest.fixture
def sign_in(sandbox: SandboxClient) -> Iterator[SignIn]:
    """Google's client for a user, with a grant of its own."""
    opened: list[Google] = []

    def make(user: str, scopes: list[str] | None = None) -> Google:
        google = Google(sandbox.base_url, sandbox.authorized_user(user, scopes))
        opened.append(google)
        return google

    yield make
    for google in opened:
        google.close()


@pytest.fixture
def receiver(sandbox: SandboxClient) -> Iterator[Receiver]:
    """Somebody who takes pushes; failed ones are tried again at once, and five times in all."""
    settings = sandbox.settings()
    sandbox.settings(push_backoff_seconds=0.01, gmail_push_interval_seconds=0)
    sandbox.clear_pushes()
    with listening() as found:
        try:
            yield found
            sandbox.clear_faults()
            sandbox.wait_until_quiet()
        finally:
            sandbox.clear_pushes()
            sandbox.settings(**{name: settings[name] for name in settings if "push" in name})
