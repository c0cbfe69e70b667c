"""Users of the sandbox, connected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.clients.credentials import load_connection
from pipeline.clients.google_credentials import store_google_connection
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row

Connect = Callable[..., Row]


@pytest.fixture
def connect(sandbox: SandboxClient) -> Connect:
    """Make a sandbox user with so many items, and connect it: `connect("ada", messages=3)`."""

    def connected(user_id: str = "ada", scopes: list[str] | None = None, **size: int) -> Row:
        sandbox.add_user(user_id, **size)
        grant = sandbox.authorized_user(user_id, scopes)
        store_google_connection(user_id, grant, datetime.now(UTC))
        return load_connection(user_id, "google")

    return connected


@pytest.fixture
def requests_of(sandbox: SandboxClient) -> Callable[..., int]:
    """Count what the sandbox was asked: `requests_of("oauth", "token", code=200)`."""

    def count(api: str, method: str, code: int | None = None) -> int:
        return sum(
            row["calls"]
            for row in sandbox.usage()
            if (row["api"], row["method"]) == (api, method) and code in (None, row["code"])
        )

    return count
