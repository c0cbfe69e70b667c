"""POST /webhooks/google/calendar: verified, kept, made a job of, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pushed import CALENDAR, deliveries, jobs, no_jobs, state_of, subscription
from starlette.applications import Starlette
from starlette.testclient import TestClient
from waiting import wait_until

from models import Subscription, SyncState, WebhookDelivery
from pipeline import push
from pipeline.stores import collection, mongodb, redis_client
from pipeline.web import webhooks
from pipeline.web.webhooks.intake import intake

PATH = "/webhooks/google/calendar"


@pytest.fixture
def web(stores: None) -> Iterator[TestClient]:
    """The webhooks, in one event loop."""
    with TestClient(Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)) as client:
        yield client


def headers(**changes: str | None) -> dict[str, str]:
    """What Google sends: a change in channel c1."""
    sent = {
        "X-Goog-Channel-ID": "c1",
        "X-Goog-Channel-Token": "secret",
        "X-Goog-Message-Number": "7",
        "X-Goog-Resource-ID": "r1",
        "X-Goog-Resource-State": "exists",
    }
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in (sent | named).items() if value is not None}


def counted(outcome: str) -> float:
    labels = {"provider": "google", "source": CALENDAR, "outcome": outcome}
    return REGISTRY.get_sample_value("headrace_webhooks_total", labels) or 0.0


def test_a_change_is_kept_and_its_job_is_sent(web: TestClient) -> None:
    subscription()
    before = counted("accepted")
    response = web.post(PATH, headers=headers())
    assert (response.status_code, response.content) == (200, b"")
    [kept] = deliveries()
    assert (kept["_id"], kept["subscription_id"], kept["open"]) == ("c1:7", "c1", True)
    assert kept["expires_at"] - kept["received_at"] == timedelta(days=7)
    wait_until(lambda: jobs("notification") == [("c1",)], "the job waits")
    assert counted("accepted") == before + 1


def test_many_notifications_of_one_channel_are_one_job(web: TestClient) -> None:
    subscription()
    with ThreadPoolExecutor(8) as pool:
        numbers = map(str, range(1, 201))
        sent = pool.map(lambda n: web.post(PATH, headers=headers(X_Goog_Message_Number=n)), numbers)
        assert {response.status_code for response in sent} == {200}
    assert len(deliveries()) == 200
    wait_until(lambda: jobs("notification") == [("c1",)], "the job waits")


def test_what_is_sent_again_is_answered_well_and_does_nothing(web: TestClient) -> None:
    subscription()
    state_of()
    web.post(PATH, headers=headers())
    wait_until(lambda: jobs("notification"), "the job waits")
    push.act_on("c1")
    no_jobs()
    before = counted("duplicate")
    assert web.post(PATH, headers=headers()).status_code == 200
    assert counted("duplicate") == before + 1
    assert len(deliveries()) == 1
    assert not deliveries(open=True)


def test_the_first_word_of_a_channel_confirms_it(web: TestClient) -> None:
    subscription()
    assert web.post(PATH, headers=headers(X_Goog_Resource_State="sync")).status_code == 200
    row = collection(Subscription).find_one({"_id": "c1"})
    assert row is not None
    assert row["confirmed_at"] is not None
    assert deliveries() == []


def test_it_may_speak_before_its_answer_is_known(web: TestClient) -> None:
    subscription(status="pending", resource_id="")
    collection(Subscription).update_one({"_id": "c1"}, {"$unset": {"resource_id": ""}})
    for state in ("sync", "exists"):
        sent = headers(X_Goog_Resource_State=state)
        assert web.post(PATH, headers=sent).status_code == 200
    assert len(deliveries()) == 1


@pytest.mark.parametrize(
    ("changes", "status", "outcome"),
    [
        ({"X_Goog_Channel_ID": "another"}, 404, "unknown"),
        ({"X_Goog_Channel_Token": "wrong"}, 403, "forged"),
        ({"X_Goog_Channel_Token": None}, 403, "forged"),
        ({"X_Goog_Resource_ID": "another"}, 403, "forged"),
        ({"X_Goog_Channel_ID": None}, 400, "malformed"),
        ({"X_Goog_Channel_ID": "x" * 65}, 400, "malformed"),
        ({"X_Goog_Message_Number": None}, 400, "malformed"),
        ({"X_Goog_Message_Number": "-1"}, 400, "malformed"),
        ({"X_Goog_Message_Number": "seven"}, 400, "malformed"),
        ({"X_Goog_Message_Number": "9" * 19}, 400, "malformed"),
        ({"X_Goog_Message_Number": "²"}, 400, "malformed"),
        ({"X_Goog_Resource_ID": None}, 400, "malformed"),
        ({"X_Goog_Resource_State": None}, 400, "malformed"),
    ],
)
def test_what_is_not_genuine_is_refused_counted_and_leaves_nothing(
    web: TestClient, changes: dict[str, str | None], status: int, outcome: str
) -> None:
    subscription()
    before = counted(outcome)
    sent = {n: v.encode("latin-1") for n, v in headers(**changes).items()}
    response = web.post(PATH, headers=sent)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    if outcome == "malformed":
        assert next(iter(changes)).replace("_", "-") in problem["detail"]
    assert counted(outcome) == before + 1
    assert deliveries() == []
    assert jobs("notification") == []


@pytest.mark.parametrize("said", [True, False])
def test_a_body_that_is_too_large_is_refused(web: TestClient, said: bool) -> None:
    subscription()

    def parts() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 1024

    response = web.post(PATH, headers=headers(), content=b"x" * 5000 if said else parts())
    assert response.status_code == 413
    assert deliveries() == []


def test_only_posts_are_taken(web: TestClient) -> None:
    assert web.get(PATH).status_code == 405


@pytest.mark.parametrize("status", ["stopped", "stopping", "expired"])
def test_who_should_be_quiet_is_answered_well(web: TestClient, status: str) -> None:
    subscription(status=status)
    before = counted("stale")
    assert web.post(PATH, headers=headers()).status_code == 200
    assert counted("stale") == before + 1


def test_a_stopped_channel_that_still_speaks_is_stopped_again(web: TestClient) -> None:
    subscription(status="stopped", expires_at=None)
    state_of()
    web.post(PATH, headers=headers())
    push.act_on("c1")
    row = collection(Subscription).find_one({"_id": "c1"})
    assert row is not None
    assert (row["status"], row["resource_id"]) == ("stopping", "r1")
    assert row["retry_at"] <= datetime.now(UTC)
    assert jobs("subscribe") == [("u", CALENDAR)]
    assert jobs("sync") == []


def test_while_mongodb_takes_no_writes_google_is_asked_to_come_again(web: TestClient) -> None:
    subscription()
    admin = mongodb().client.admin
    admin.command("fsync", lock=True)
    try:
        response = web.post(PATH, headers=headers())
    finally:
        admin.command("fsyncUnlock")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert web.post(PATH, headers=headers()).status_code == 200
    assert len(deliveries()) == 1


def test_while_redis_is_away_notifications_are_kept_all_the_same(web: TestClient) -> None:
    subscription()
    redis_client().client_pause(30_000, all=False)  # no job can be sent
    try:
        assert web.post(PATH, headers=headers()).status_code == 200
        assert len(deliveries()) == 1
    finally:
        redis_client().client_unpause()
    wait_until(lambda: jobs("notification") == [("c1",)], "the job waits")


def test_a_lost_job_is_found_missing(stores: None) -> None:
    subscription()
    long_ago = datetime.now(UTC) - timedelta(minutes=1)
    kept = {"subscription_id": "c1", "tenant_id": "t", "source": CALENDAR, "open": True}
    for number, received_at in enumerate((long_ago, long_ago, datetime.now(UTC))):
        row = {"_id": f"c1:{number}", "received_at": received_at} | kept
        collection(WebhookDelivery).insert_one(row)
    assert "1 late" in push.renew_subscriptions()
    assert jobs("notification") == [("c1",)]


@given(
    sent=st.lists(
        st.tuples(st.sampled_from(("c1", "c2", "c3")), st.integers(1, 4), st.booleans()),
        max_size=12,
    )
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_mix_of_repeats_and_forgeries_makes_due_whom_it_concerns_and_nobody_else(
    stores: None, sent: list[tuple[str, int, bool]]
) -> None:
    for model in (Subscription, SyncState, WebhookDelivery):
        collection(model).delete_many({})
    no_jobs()
    users = {"c1": "ann", "c2": "bob", "c3": "cid"}
    for channel, user_id in users.items():
        subscription(channel, user_id=user_id)
        state_of(user_id)
    genuine = {(channel, number) for channel, number, is_genuine in sent if is_genuine}
    statuses = asyncio.run(_send_at_once(sent))
    wanted = [200 if is_genuine else 403 for *_, is_genuine in sent]
    assert statuses == wanted
    assert {row["_id"] for row in deliveries()} == {f"{c}:{n}" for c, n in genuine}
    due = {channel for channel, _ in genuine}
    assert {channel for (channel,) in jobs("notification")} == due
    for channel in due:
        push.act_on(channel)
        push.act_on(channel)
    now = datetime.now(UTC) + timedelta(seconds=1)
    found = collection(SyncState).find({"next_due_at": {"$lte": now}})
    assert {row["user_id"] for row in found} == {users[channel] for channel in due}
    assert {user_id for user_id, _ in jobs("sync")} == {users[channel] for channel in due}
    assert not deliveries(open=True)


async def _send_at_once(sent: list[tuple[str, int, bool]]) -> list[int]:
    app = Starlette(routes=webhooks.routes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
        requests = [
            client.post(
                PATH,
                headers=headers(
                    X_Goog_Channel_ID=channel,
                    X_Goog_Message_Number=str(number),
                    X_Goog_Channel_Token="secret" if is_genuine else "guessed",
                ),
            )
            for channel, number, is_genuine in sent
        ]
        answers = await asyncio.gather(*requests)
        await intake().drain()
    return [answer.status_code for answer in answers]
