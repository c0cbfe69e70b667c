"""Quotas of tenants: charged beforehand by estimate, put right afterwards, never overdrawn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import ai_rows as rows
import pytest
from chat_server import ChatServer, Scripted

from pipeline.errors import HeadraceError, Permanent, RateLimited, Transient
from pipeline.platform import ai
from pipeline.platform.ai import quotas

Setting = Callable[..., None]


def used(tenant: str) -> dict[str, int]:
    return {use.name: use.used for use in quotas.used(tenant)}


def test_an_answer_puts_its_charge_right(chat: ChatServer) -> None:
    tenant, _ = rows.new_user()
    rows.done(rows.ask_text(tenant))
    assert used(tenant) == {
        "requests_minute": 1,
        "requests_day": 1,
        "tokens_minute": 120,
        "tokens_day": 120,
    }


def test_no_more_calls_are_made_than_a_tenant_may(chat: ChatServer, setting: Setting) -> None:
    setting(AI_REQUESTS_PER_MINUTE=3)
    tenant, _ = rows.new_user()
    asked = [rows.ask_text(tenant, text=f"{rows.LETTER} {n}") for n in range(8)]

    def attempt(row: dict[str, str]) -> float:
        try:
            ai.run(row["_id"])
        except RateLimited as error:
            assert error.scope == "tenant"
            return error.retry_after_seconds
        return 0.0

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(attempt, asked))
    assert len(chat.requests) == 3
    refused = [row for row, wait in zip(asked, waits, strict=True) if wait]
    assert len(refused) == 5
    for row in map(rows.stored, refused):
        assert (row["status"], row["attempts"]) == ("queued", 0)
        assert "3 calls in any minute" in row["error"]["message"]
        assert rows.calls(row) == []
    # Others are not in the way of each other.
    other, _ = rows.new_user()
    assert rows.done(rows.ask_text(other))["status"] == "done"


def test_those_who_wait_come_back_one_after_the_other(chat: ChatServer, setting: Setting) -> None:
    setting(AI_REQUESTS_PER_MINUTE=1)
    tenant, _ = rows.new_user()
    asked = [rows.ask_text(tenant, text=f"{rows.LETTER} {n}") for n in range(12)]
    ai.run(asked[0]["_id"])
    waits = set()
    for row in asked[1:]:
        with pytest.raises(RateLimited) as caught:
            ai.run(row["_id"])
        waits.add(round(caught.value.retry_after_seconds / 60))
    assert len(waits) > 3


def test_tokens_are_charged_by_estimate_before_the_call(chat: ChatServer, setting: Setting) -> None:
    setting(AI_TOKENS_PER_MINUTE=2000)
    tenant, _ = rows.new_user()
    first, second = (rows.ask_text(tenant, text=f"{rows.LETTER} {n}") for n in range(2))
    # It took far more than anybody thought.
    dear = {"prompt_tokens": 1500, "completion_tokens": 400}
    chat.say(Scripted(usage=dear))
    rows.done(first)
    assert used(tenant)["tokens_minute"] == 1900
    with pytest.raises(RateLimited, match="2,000 tokens in any minute"):
        ai.run(second["_id"])


def test_what_never_fits_is_refused_for_good(chat: ChatServer, setting: Setting) -> None:
    setting(AI_TOKENS_PER_MINUTE=100)
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    with pytest.raises(Permanent, match=r"AI_TOKENS_PER_MINUTE=100 .* never lets through"):
        ai.run(row["_id"])
    assert rows.stored(row)["status"] == "failed"
    assert chat.requests == []


def test_a_call_that_may_have_been_answered_stays_charged_as_thought(chat: ChatServer) -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    chat.say(Scripted(status=504))
    with pytest.raises(Transient):
        ai.run(row["_id"])
    assert used(tenant)["tokens_minute"] > 512
    [call] = rows.calls(row)
    assert not call["answered"]


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_call_that_was_refused_costs_no_tokens(chat: ChatServer, status: int) -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    chat.say(Scripted(status=status))
    with pytest.raises(HeadraceError):
        ai.run(row["_id"])
    assert (used(tenant)["tokens_minute"], used(tenant)["requests_minute"]) == (0, 1)
    assert rows.calls(row) == []


def test_the_answer_of_the_second_api_is_charged_once(
    chat: ChatServer, fallback: ChatServer
) -> None:
    tenant, _ = rows.new_user()
    chat.say(Scripted(status=500))
    rows.done(rows.ask_text(tenant))
    assert used(tenant)["tokens_minute"] == 120


def test_an_api_that_does_not_count_is_counted_for(chat: ChatServer) -> None:
    tenant, _ = rows.new_user()
    chat.say(Scripted(usage=None))
    row = rows.done(rows.ask_text(tenant))
    assert row["tokens_in"] > 100
    assert row["tokens_out"] > 10
    assert used(tenant)["tokens_minute"] == row["tokens_in"] + row["tokens_out"]


@pytest.mark.usefixtures("stores")
def test_what_the_worker_does_itself_is_not_charged() -> None:
    tenant, _ = rows.new_user()
    rows.done(rows.ask_text(tenant))
    assert set(used(tenant).values()) == {0}
