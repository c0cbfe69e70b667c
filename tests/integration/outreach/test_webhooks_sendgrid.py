"""POST /webhooks/sendgrid/events: verified over the bytes as they came, kept, and answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.testclient import TestClient
from told_events import Signer, delivery, entry, kept, sent_message
from waiting import wait_until

from models.outreach import OutreachDelivery
from pipeline.jobs.reading import page
from pipeline.outreach import events
from pipeline.stores import collection, mongodb, redis_client
from pipeline.web import webhooks
from pipeline.web.webhooks.outreach_intake import outreach_intake

PATH = "/webhooks/sendgrid/events"
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
OLD, NEW, FORGER = Signer(), Signer(), Signer()
BODY = b'[{"event":"open",\r\n "timestamp":1700000000}]\r\n'


@pytest.fixture
def web(stores: None, setting: Any) -> Iterator[TestClient]:
    """The webhooks, which know SendGrid's old and new key."""
    setting(SENDGRID_WEBHOOK_PUBLIC_KEYS=f"{OLD.public_key}, {NEW.public_key}")
    with TestClient(Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)) as client:
        yield client


def counted(outcome: str) -> float:
    labels = {"provider": "sendgrid", "source": "events", "outcome": outcome}
    return REGISTRY.get_sample_value("headrace_webhooks_total", labels) or 0.0


def stored() -> list[dict[str, Any]]:
    return list(collection(OutreachDelivery).find())


def waiting() -> list[Any]:
    found = page(None, "waiting", limit=100).jobs
    return [job.arguments for job in found if job.job == "process_delivery"]


def test_events_are_kept_as_they_came_and_worked_through(web: TestClient) -> None:
    message = sent_message()
    body = json.dumps([entry(message, "open")], indent=1).replace("\n", "\r\n").encode()
    response = web.post(PATH, content=body, headers=OLD.headers(body))
    assert (response.status_code, response.content) == (200, b"")
    [row] = stored()
    assert (bytes(row["raw"]), row["open"], row["status"]) == (body, True, "received")
    wait_until(lambda: waiting() == [(row["_id"],)], "the job waits")
    events.process(row["_id"])
    assert delivery(row["_id"])["status"] == "processed"
    assert [event["type"] for event in kept(message)] == ["opened"]


def test_while_keys_change_both_are_taken_and_a_repetition_does_nothing(web: TestClient) -> None:
    before = counted("duplicate")
    now = time.time()
    for signer in (OLD, NEW, NEW):
        assert web.post(PATH, content=BODY, headers=signer.headers(BODY, now)).is_success
    assert len(stored()) == 1
    assert counted("duplicate") == before + 2


@pytest.mark.parametrize(
    ("changes", "status", "outcome", "named"),
    [
        ({SIGNATURE: None}, 401, "forged", SIGNATURE),
        ({TIMESTAMP: None}, 401, "forged", TIMESTAMP),
        ({SIGNATURE: "not base64!"}, 403, "forged", SIGNATURE),
        ({SIGNATURE: "AAAA"}, 403, "forged", SIGNATURE),
        ({TIMESTAMP: "yesterday"}, 403, "forged", TIMESTAMP),
        ({TIMESTAMP: "²"}, 403, "forged", TIMESTAMP),
        ({TIMESTAMP: str(int(time.time()) - 60)}, 403, "forged", SIGNATURE),
        (FORGER.headers(BODY), 403, "forged", SIGNATURE),
        (OLD.headers(BODY, time.time() - 90_060), 403, "stale", TIMESTAMP),
        (OLD.headers(BODY, time.time() + 3600), 403, "stale", TIMESTAMP),
        (OLD.headers(BODY.strip()), 403, "forged", SIGNATURE),
    ],
)
def test_what_is_not_genuine_is_refused_by_the_header_and_leaves_nothing(
    web: TestClient, changes: dict[str, str | None], status: int, outcome: str, named: str
) -> None:
    before = counted(outcome)
    headers = {n: v for n, v in (OLD.headers(BODY) | changes).items() if v is not None}
    sent = {name: value.encode("utf-8") for name, value in headers.items()}
    response = web.post(PATH, content=BODY, headers=sent)
    assert (response.status_code, named in response.json()["detail"]) == (status, True)
    assert response.headers["content-type"] == "application/problem+json"
    assert counted(outcome) == before + 1
    assert stored() == []


@pytest.mark.parametrize(
    ("body", "told"), [(b"{}", "$"), (b"[", "JSON"), (b"\xff", "JSON"), (b"[" * 20_000, "JSON")]
)
def test_what_is_no_list_is_refused_once_the_signature_holds(
    web: TestClient, body: bytes, told: str
) -> None:
    assert web.post(PATH, content=body, headers=FORGER.headers(body)).status_code == 403
    response = web.post(PATH, content=body, headers=OLD.headers(body))
    assert (response.status_code, told in response.json()["detail"]) == (400, True)
    assert stored() == []


def test_more_than_five_megabytes_are_refused(web: TestClient) -> None:
    body = b"[" + b" " * (5 * 2**20) + b"]"
    assert web.post(PATH, content=body, headers=OLD.headers(body)).status_code == 413


@pytest.mark.parametrize("keys", ["", "AAAA", "not a key"])
def test_without_a_key_that_works_nothing_is_taken(
    web: TestClient, setting: Any, keys: str
) -> None:
    setting(SENDGRID_WEBHOOK_PUBLIC_KEYS=keys)
    response = web.post(PATH, content=BODY, headers=OLD.headers(BODY))
    assert response.status_code == 503
    assert "SENDGRID_WEBHOOK_PUBLIC_KEYS" in response.json()["detail"]


def test_while_mongodb_takes_no_writes_sendgrid_is_asked_to_come_again(web: TestClient) -> None:
    admin = mongodb().client.admin
    admin.command("fsync", lock=True)
    try:
        response = web.post(PATH, content=BODY, headers=OLD.headers(BODY))
    finally:
        admin.command("fsyncUnlock")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert web.post(PATH, content=BODY, headers=OLD.headers(BODY)).is_success


def test_while_redis_is_away_events_are_kept_and_answered(web: TestClient) -> None:
    redis_client().client_pause(30_000, all=False)
    try:
        assert web.post(PATH, content=BODY, headers=OLD.headers(BODY)).is_success
        assert len(stored()) == 1
    finally:
        redis_client().client_unpause()


def test_many_at_once_are_answered_within_milliseconds(stores: None, setting: Any) -> None:
    setting(SENDGRID_WEBHOOK_PUBLIC_KEYS=OLD.public_key)
    bodies = [json.dumps([{"event": "open", "n": n}]).encode() for n in range(100)]

    async def send() -> list[int]:
        transport = httpx.ASGITransport(Starlette(routes=webhooks.routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
            answers = await asyncio.gather(
                *(client.post(PATH, content=b, headers=OLD.headers(b)) for b in bodies)
            )
            await outreach_intake().drain()
        return [answer.status_code for answer in answers]

    began = time.perf_counter()
    assert set(asyncio.run(send())) == {200}
    assert time.perf_counter() - began < 5
    assert len(stored()) == 100
