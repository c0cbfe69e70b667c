"""Google's real quotas, as the sandbox enforces them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import pytest
from google_calls import GET, Connect, RequestsOf, gets, kinds, message_ids

from pipeline.clients.google import GoogleClient
from pipeline.errors import RateLimited
from pipeline.limits import ledger
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import redis_client


@pytest.fixture
def pass_time(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass, for the sandbox and for the ledger at once: `pass_time(seconds)`."""
    script = ledger.source()
    asks = "redis.call('TIME')"
    assert script.count(asks) == 1
    later = "tonumber(t[1]) + tonumber(redis.call('GET', 'test:passed_seconds') or '0')"
    moved = f"(function() local t = {asks}; t[1] = {later}; return t end)()"
    script = script.replace(asks, moved)
    monkeypatch.setattr(ledger, "_script", lambda: redis_client().register_script(script))

    def pass_time(seconds: float) -> None:
        whole_seconds = math.ceil(seconds)
        redis_client().incrby("test:passed_seconds", whole_seconds)
        sandbox.clock(whole_seconds)

    return pass_time


@pytest.mark.parametrize(
    ("api", "units_a_minute", "rounds"), [("gmail", 6000, 3), ("calendar", 600, 1)]
)
def test_nine_tenths_of_the_real_quotas_are_used_without_one_refusal(
    connect: Connect,
    sandbox: SandboxClient,
    setting: Callable[..., None],
    pass_time: Callable[[float], None],
    api: str,
    units_a_minute: int,
    rounds: int,
) -> None:
    connection = connect(messages=25, calendars=1)
    setting(QUOTA_INLINE_WAIT_SECONDS=0, QUOTA_USE_FRACTION=1)
    with GoogleClient(connection) as client:
        reads = gets(message_ids(client))
        redis_client().flushdb()
        sandbox.settings(quotas_enabled=True, access_token_seconds=86_400)
        sandbox.clear_usage()
        began = datetime.fromisoformat(sandbox.clock())

        def read() -> object:
            if api == "gmail":
                return client.batch(GET, reads)[0]
            return client.call("calendar.calendarList.list", fields="kind")

        for _ in range(rounds):
            pass_time(refused(read).retry_after_seconds)
        elapsed = datetime.fromisoformat(sandbox.clock()) - began
        used = sum(row["units"] for row in sandbox.usage() if row["api"] == api)
        assert used >= 0.9 * units_a_minute * elapsed.total_seconds() / 60
        refused(read)
    assert {row["code"] for row in sandbox.usage() if row["api"] == api} == {200}


def refused(read: Callable[[], object]) -> RateLimited:
    """Read until our own ledger refuses."""
    while True:
        try:
            outcome = read()
        except RateLimited as error:
            outcome = error
        if isinstance(outcome, RateLimited):
            assert "our share of the user quota is used up" in str(outcome)
            return outcome


def test_the_ledger_is_charged_before_google_is_asked(
    connect: Connect, requests_of: RequestsOf, setting: Callable[..., None]
) -> None:
    connection = connect(messages=1)
    setting(QUOTA_INLINE_WAIT_SECONDS=0, QUOTA_USE_FRACTION=0.1)
    with GoogleClient(connection) as client:
        ids = message_ids(client) * 20
        assert kinds(client.batch(GET, gets(ids))) == ["dict"] * 20
        assert kinds(client.batch(GET, gets(ids))) == ["RateLimited"] * 20
    assert requests_of("gmail", "users.messages.get") == 20
