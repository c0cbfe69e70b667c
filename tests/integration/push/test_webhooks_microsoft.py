"""POST /webhooks/microsoft: the token given back, and what is genuine kept before the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pushed import NOWHERE, deliveries, jobs, no_jobs, state_of, subscription
from starlette.applications import Starlette
from starlette.testclient import TestClient
from waiting import wait_until

from models import Subscription, SyncState
from pipeline import push
from pipeline.stores import Row, collection
from pipeline.web import webhooks

PATH = "/webhooks/microsoft"
MAIL = "microsoft_mail"


@pytest.fixture
def web(stores: None) -> Iterator[TestClient]:
    """The webhooks, and a subscription of user u: row s1, at Microsoft m1."""
    subscribed()
    with TestClient(Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)) as client:
        yield client


def subscribed(row_id: str = "s1", name: str | None = "m1", **fields: Any) -> Row:
    target = f"{NOWHERE}{PATH}"
    own = {"provider": "microsoft", "source": MAIL, "stream": "folders", "resource_id": name}
    return subscription(row_id, **(own | {"target": target, "lifecycle_target": target} | fields))


def notice(**changes: Any) -> dict[str, Any]:
    """What Microsoft says: a mail of mailbox m1 was updated."""
    said: dict[str, Any] = {
        "subscriptionId": "m1",
        "clientState": "s1:secret",
        "changeType": "updated",
        "resource": "Users/1/Messages/2",
        "resourceData": {"id": "2", "@odata.etag": 'W/"1"'},
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def told(web: TestClient, *notices: Any) -> int:
    return int(web.post(PATH, json={"value": list(notices)}).status_code)


def counts() -> dict[str, float]:
    """Return how many there are of each outcome."""
    family = next(m for m in REGISTRY.collect() if m.name == "headrace_webhooks")
    rows = [s for s in family.samples if s.labels.get("source") == MAIL and "total" in s.name]
    return {sample.labels["outcome"]: sample.value for sample in rows}


def test_a_validation_token_is_given_back_as_text(web: TestClient) -> None:
    token = "Validation: Täst <script> & 100% \u2713"
    answer = web.post(PATH, params={"validationToken": token}, content=b"not JSON")
    assert (answer.status_code, answer.text) == (200, token)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for bad in ("", "x" * 2049):
        assert web.post(PATH, params={"validationToken": bad}).status_code == 400
    assert web.get(PATH, params={"validationToken": "x"}).status_code == 405


def test_a_change_is_kept_and_its_job_is_sent(web: TestClient) -> None:
    answer = web.post(PATH, json={"value": [notice()]})
    assert (answer.status_code, answer.content) == (202, b"")
    [kept] = deliveries()
    assert (kept["subscription_id"], kept["resource_id"], kept["open"]) == ("s1", "m1", True)
    assert "secret" not in str(kept)
    wait_until(lambda: jobs("notification") == [("s1",)], "the job waits")


def test_what_is_not_genuine_is_answered_alike_and_changes_nothing(web: TestClient) -> None:
    subscribed("s2", "m2", user_id="v")
    before = counts()
    wrong = [
        notice(clientState="s1:wrong"),
        notice(clientState="wrong"),
        notice(clientState=None),
        notice(clientState="s1:sécret"),
        notice(clientState="s2:secret"),  # another subscription's
        notice(subscriptionId="m2"),
    ]
    unknown = [notice(subscriptionId="m9", clientState="s9:secret")]
    malformed = [
        *(notice(subscriptionId=value) for value in (None, "", 7, {"$gt": ""}, ["m1"])),
        *(notice(clientState=value) for value in (1, {"$ne": None}, "x" * 129)),
        *(notice(resource=5), notice(changeType=[]), notice(lifecycleEvent={"$ne": 1})),
        *(notice(resourceData=value) for value in ("x", {"id": 5})),
        *(None, 1, "m1", [notice()]),
    ]
    assert told(web, *wrong, *unknown, *malformed) == 202
    assert deliveries() == []
    found = {name: count - before.get(name, 0) for name, count in counts().items()}
    assert {name: count for name, count in found.items() if count} == {
        "forged": len(wrong),
        "unknown": len(unknown),
        "malformed": len(malformed),
    }
    # What is genuine beside it is kept all the same.
    assert told(web, *wrong, *unknown, *malformed, notice()) == 202
    assert [kept["subscription_id"] for kept in deliveries()] == ["s1"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b'{"value": {}}', 400),
        (b"\xff", 400),
        (b'{"value": []}', 202),
        (b" " * (2 * 2**20 + 1), 413),
    ],
)
def test_what_cannot_be_read_is_refused(web: TestClient, body: bytes, status: int) -> None:
    assert web.post(PATH, content=body).status_code == status


def test_a_thousand_at_once_are_kept_and_no_more(web: TestClient) -> None:
    many = [notice(resource=f"Users/1/Messages/{number}") for number in range(1001)]
    answer = web.post(PATH, json={"value": many})
    assert answer.status_code == 413
    assert answer.json()["detail"] == "value: 1,001 notifications, at most 1,000 at once."
    assert deliveries() == []
    assert told(web, *many[:1000]) == 202
    assert len(deliveries()) == 1000
    wait_until(lambda: jobs("notification") == [("s1",)], "one job waits")
    assert push.act_on("s1") == "1000 notifications"


def test_what_is_sent_again_is_no_news_but_a_later_change_is(web: TestClient) -> None:
    for _ in range(3):
        assert told(web, notice(), notice()) == 202
    assert len(deliveries()) == 1
    # Whatever became of the first: the next change of the same mail is another one.
    assert told(web, notice(resourceData={"id": "2", "@odata.etag": 'W/"2"'})) == 202
    assert told(web, notice(changeType="deleted", resourceData={"id": "2"})) == 202
    assert len(deliveries()) == 3


def test_news_of_the_subscription_are_followed(web: TestClient) -> None:
    state_of("u", MAIL)
    collection(SyncState).update_one({}, {"$set": {"push": {}}})
    for event, status in (("missed", "active"), ("reauthorizationRequired", "active")):
        no_jobs()
        lifecycle = notice(lifecycleEvent=event, changeType=None, resourceData=None)
        assert told(web, lifecycle) == 202
        push.act_on("s1")
        assert [args[:2] for args in jobs("delta_sync")] == [("u", MAIL)]
        assert bool(jobs("subscribe")) == (event != "missed")
        assert collection(Subscription).find_one({"_id": "s1"})["status"] == status
    assert told(web, notice(lifecycleEvent="subscriptionRemoved", resourceData=None)) == 202
    push.act_on("s1")
    [row] = collection(Subscription).find()
    assert (row["status"], row["last_error"]["class"]) == ("expired", "Gone")
    assert jobs("subscribe") == [("u", MAIL)]


def test_the_first_notification_may_come_before_we_know_its_name(web: TestClient) -> None:
    collection(Subscription).update_one({}, {"$unset": {"resource_id": ""}})
    assert told(web, notice()) == 202
    assert len(deliveries()) == 1
