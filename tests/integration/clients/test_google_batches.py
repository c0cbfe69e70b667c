"""Batches: an answer or an error for each call, whatever happens to the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google_calls import GET, ON_GET, Connect, RequestsOf, gets, kinds, message_ids

from pipeline.clients.google import GoogleClient
from pipeline.errors import Permanent
from pipeline.sandbox.client import SandboxClient


def test_a_batch_answers_in_order_and_singles_out_what_failed(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(messages=4)) as client:
        ids = message_ids(client)
        sandbox.fault("status", match=ON_GET, params={"code": 403, "reason": "forbidden"})
        wanted = [ids[3], ids[0], "18c0ffee18c0ffee", ids[1], ids[2], ids[3]]
        outcomes = client.batch(GET, gets(wanted))
        assert kinds(outcomes) == ["Permanent", "dict", "Gone", "dict", "dict", "dict"]
        assert [outcome["id"] for outcome in outcomes if isinstance(outcome, dict)] == ids
        assert client.calls == 1 + 6


def test_a_batch_reads_the_same_as_single_calls(connect: Connect, sandbox: SandboxClient) -> None:
    with GoogleClient(connect(messages=12)) as client:
        wanted = [{"userId": "me", "id": i} for i in message_ids(client)]
        # Compared as text: only equal characters in equal order are the same mail.
        singly = [json.dumps(client.call(GET, **one)) for one in wanted]
        assert [json.dumps(mail) for mail in client.batch(GET, wanted)] == singly
    assert any(r"\u" in mail for mail in singly)


def test_a_method_that_is_not_batched_is_called_singly(
    connect: Connect, requests_of: RequestsOf
) -> None:
    with GoogleClient(connect(task_lists=2)) as client:
        assert kinds(client.batch("tasks.tasklists.list", [{}, {}])) == ["dict"] * 2
    assert requests_of("tasks", "tasklists.list") == 2
    assert requests_of("gmail", "batch") == 0


def test_a_batch_of_nothing_asks_nothing(connect: Connect, requests_of: RequestsOf) -> None:
    with GoogleClient(connect()) as client:
        assert client.batch(GET, []) == []
    assert requests_of("gmail", "batch") == 0


def test_batches_have_the_size_that_is_set(
    connect: Connect, requests_of: RequestsOf, setting: Callable[..., None]
) -> None:
    connection = connect(messages=11)
    setting(GOOGLE_GMAIL_BATCH_SIZE=4)
    with GoogleClient(connection) as client:
        assert kinds(client.batch(GET, gets(message_ids(client)))) == ["dict"] * 11
    assert requests_of("gmail", "batch") == 3
    assert requests_of("gmail", "users.messages.get", code=200) == 11


def test_calls_that_were_refused_inside_a_batch_are_asked_once_more(
    connect: Connect, sandbox: SandboxClient, requests_of: RequestsOf
) -> None:
    with GoogleClient(connect(messages=8)) as client:
        ids = message_ids(client)
        params = {"code": 429, "retry_after": 1}
        sandbox.fault("status", match=ON_GET, times=3, params=params)
        sandbox.fault("status", match=ON_GET, times=2, params={"code": 503})
        outcomes = client.batch(GET, gets(ids))
        assert [outcome["id"] for outcome in outcomes if isinstance(outcome, dict)] == ids
    assert requests_of("gmail", "users.messages.get") == 13


def test_calls_that_are_refused_for_long_are_handed_back_and_nothing_is_lost(
    connect: Connect, sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    connection = connect(messages=9)
    setting(GOOGLE_GMAIL_BATCH_SIZE=3)
    with GoogleClient(connection) as client:
        ids = message_ids(client)
        client.batch(GET, gets(ids[:1]))
        params = {"code": 429, "retry_after": 60}
        sandbox.fault("status", match=ON_GET, times=2, params=params)
        outcomes = client.batch(GET, gets(ids))
        assert kinds(outcomes) == ["RateLimited"] * 2 + ["dict"] + ["RateLimited"] * 6
        assert all(isinstance(o, dict) or o.retry_after_seconds > 50 for o in outcomes)
        assert client.calls == 1 + 1 + 3


@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop"}, {"kind": "invalid_json"}, {"kind": "status", "params": {"code": 503}}],
    ids=lambda fault: str(fault["kind"]),
)
def test_a_batch_that_is_lost_as_a_whole_is_asked_once_more(
    connect: Connect, sandbox: SandboxClient, fault: dict[str, Any]
) -> None:
    with GoogleClient(connect(messages=5)) as client:
        ids = message_ids(client)
        sandbox.fault(match={"api": "gmail", "method": "batch"}, **fault)
        assert kinds(client.batch(GET, gets(ids))) == ["dict"] * 5
        sandbox.fault(match={"api": "gmail", "method": "batch"}, times=9, **fault)
        assert kinds(client.batch(GET, gets(ids))) == ["Transient"] * 5


def test_a_batch_that_is_refused_as_a_whole_says_nothing_about_its_items(
    connect: Connect, sandbox: SandboxClient
) -> None:
    with GoogleClient(connect(messages=2)) as client:
        ids = message_ids(client)
        params = {"code": 404, "reason": "notFound"}
        sandbox.fault("status", match={"api": "gmail", "method": "batch"}, params=params)
        [first, second] = client.batch(GET, gets(ids))
        assert isinstance(first, Permanent)
        assert second is first
