"""POST /webhooks/google/gmail: is it Pub/Sub, whose mailbox is it, and what follows."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pushed import ACCOUNT, GMAIL, TOPIC, deliveries, jobs, subscription
from starlette.applications import Starlette
from starlette.testclient import TestClient
from waiting import wait_until

from pipeline.clients.keyring import new_key
from pipeline.config import settings as current_settings
from pipeline.push.google_gmail import routes
from pipeline.sandbox.push.tokens import HOWS, authorization
from pipeline.sandbox.push.topics import Topic
from pipeline.sandbox.signing import Signer
from pipeline.sandbox.store import Store
from pipeline.web import webhooks

PATH = "/webhooks/google/gmail"
ADDRESS = "ada@example.com"
AUDIENCE = f"https://headrace.example{PATH}"


class Google:
    """Signs tokens, and serves its certificates; `fetches` counts how often they were asked for."""

    def __init__(self) -> None:
        self._store = Store(":memory:")
        self.signer = Signer(self._store)
        self.topic = Topic(TOPIC, AUDIENCE, AUDIENCE, ACCOUNT)
        self.fetches = 0
        self.is_down = False
        google = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                google.fetches += 1
                body = json.dumps(google.signer.certs()).encode()
                self.send_response(500 if google.is_down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.certs_url = f"http://127.0.0.1:{self._server.server_port}/certs"

    def header(self, how: str | None = None) -> dict[str, str]:
        """Return the header of a push, spoilt as `how` says."""
        return authorization(self.topic, self.signer, how)

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._store.close()


@pytest.fixture
def google(setting: Callable[..., None], servers: dict[str, str]) -> Iterator[Google]:
    """Google as far as it signs; its keys are not known here yet."""
    found = Google()
    setting(
        GOOGLE_CERTS_URL=found.certs_url,
        GOOGLE_PUBSUB_SERVICE_ACCOUNT=ACCOUNT,
        GOOGLE_PUBSUB_TOPIC=TOPIC,
        PUBLIC_BASE_URL="https://headrace.example",
    )
    yield found
    found.close()


@pytest.fixture
def web(stores: None, google: Google) -> Iterator[TestClient]:
    """The webhooks, in one event loop."""
    with TestClient(Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)) as client:
        yield client


def mailbox(name: str, user_id: str, address: str = ADDRESS, **fields: Any) -> None:
    """Store the subscription of a user for a mailbox."""
    subscription(name, user_id=user_id, source=GMAIL, route=routes(address)[0], **fields)


def body(address: Any = ADDRESS, message_id: str = "m1", **changes: Any) -> dict[str, Any]:
    """Return what Pub/Sub sends: a change in a mailbox."""
    data = base64.urlsafe_b64encode(json.dumps({"emailAddress": address, "historyId": 5}).encode())
    message = {"data": data.decode(), "messageId": message_id} | changes
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def counted(outcome: str) -> float:
    labels = {"provider": "google", "source": GMAIL, "outcome": outcome}
    return REGISTRY.get_sample_value("headrace_webhooks_total", labels) or 0.0


def test_everybody_who_has_the_mailbox_is_due(web: TestClient, google: Google) -> None:
    mailbox("s1", "ada")
    mailbox("s2", "bob")
    mailbox("s3", "cid", "cid@example.com")
    mailbox("s4", "dan", status="stopped")
    response = web.post(PATH, json=body("Ada@Example.com"), headers=google.header())
    assert response.status_code == 200
    assert {row["_id"] for row in deliveries()} == {"m1:s1", "m1:s2"}
    assert ADDRESS not in str(deliveries()).lower()
    wait_until(lambda: jobs("notification") == [("s1",), ("s2",)], "both jobs wait")


def test_what_pubsub_sends_again_is_one_notification(web: TestClient, google: Google) -> None:
    mailbox("s1", "ada")
    before = counted("duplicate")
    for _ in range(3):
        assert web.post(PATH, json=body(), headers=google.header()).status_code == 200
    assert len(deliveries()) == 1
    assert counted("duplicate") == before + 2


def test_a_mailbox_that_nobody_has_is_answered_well_and_counted(
    web: TestClient, google: Google
) -> None:
    before = counted("unknown")
    assert web.post(PATH, json=body(), headers=google.header()).status_code == 200
    assert counted("unknown") == before + 1
    assert deliveries() == []


@pytest.mark.parametrize("how", HOWS)
def test_a_token_that_is_not_pubsubs_is_refused(web: TestClient, google: Google, how: str) -> None:
    mailbox("s1", "ada")
    before = counted("forged")
    response = web.post(PATH, json=body(), headers=google.header(how))
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["detail"]
    assert counted("forged") == before + 1
    assert deliveries() == []


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "e30.e30.e30", "W10.W10.W10", "eyJraWQiOltdfQ.e30.e30", "\udcff", "é.é.é"],
)
def test_a_token_that_is_none_is_refused(web: TestClient, google: Google, token: str) -> None:
    value = f"Bearer {token}".encode("utf-8", "surrogateescape")
    response = web.post(PATH, json=body(), headers={"Authorization": value})
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (b"", "The body"),
        (b"{", "The body"),
        (b"[]", "The body"),
        (b"{}", "message"),
        (b'{"message": 5}', "message"),
        (json.dumps({"message": {"data": "e30="}}).encode(), "message.messageId"),
        (json.dumps(body(messageId="")).encode(), "message.messageId"),
        (json.dumps(body(messageId="a b")).encode(), "message.messageId"),
        (json.dumps(body(data=5)).encode(), "message.data"),
        (json.dumps(body(data="?")).encode(), "message.data"),
        (json.dumps(body(data="é")).encode(), "message.data"),
        (json.dumps(body(data="e30=")).encode(), "message.data.emailAddress"),
        (json.dumps(body(address=5)).encode(), "message.data.emailAddress"),
        (json.dumps(body(address="x" * 321)).encode(), "message.data.emailAddress"),
        (b"\xff\xfe", "The body"),
        (b"[" * 5000, "The body"),
    ],
)
def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(
    web: TestClient, google: Google, sent: bytes, field: str
) -> None:
    before = counted("malformed")
    response = web.post(PATH, content=sent, headers=google.header())
    assert response.status_code == 400
    assert response.json()["detail"].startswith(f"{field}:")
    assert counted("malformed") == before + 1


def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    web: TestClient, google: Google
) -> None:
    response = web.post(PATH, content=b"x" * 70_000, headers=google.header())
    assert response.status_code == 413


def test_certificates_are_fetched_once_also_for_keys_that_nobody_has(
    web: TestClient, google: Google
) -> None:
    for _ in range(5):
        web.post(PATH, json=body(), headers=google.header())
    stranger = Google()
    for _ in range(5):
        assert web.post(PATH, json=body(), headers=stranger.header()).status_code == 401
    stranger.close()
    assert google.fetches == 1


def test_without_certificates_pubsub_is_asked_to_come_again(
    web: TestClient, google: Google
) -> None:
    google.is_down = True
    mailbox("s1", "ada")
    response = web.post(PATH, json=body(), headers=google.header())
    assert response.status_code == 503
    assert deliveries() == []


def test_without_a_service_account_nothing_is_believed(
    web: TestClient, google: Google, setting: Callable[..., None]
) -> None:
    setting(GOOGLE_PUBSUB_SERVICE_ACCOUNT="")
    assert web.post(PATH, json=body(), headers=google.header()).status_code == 503


def test_the_audience_may_be_a_setting(
    web: TestClient, google: Google, setting: Callable[..., None]
) -> None:
    setting(GOOGLE_PUBSUB_AUDIENCE="elsewhere")
    assert web.post(PATH, json=body(), headers=google.header()).status_code == 401
    setting(GOOGLE_PUBSUB_AUDIENCE=AUDIENCE, PUBLIC_BASE_URL="https://moved.example")
    assert web.post(PATH, json=body(), headers=google.header()).status_code == 200


def test_a_new_encryption_key_loses_no_mailbox(
    web: TestClient, google: Google, setting: Callable[..., None]
) -> None:
    mailbox("s1", "ada")
    before = current_settings().encryption_keys.get_secret_value()
    setting(ENCRYPTION_KEYS=f"{new_key()},{before}")
    web.post(PATH, json=body(), headers=google.header())
    assert [row["_id"] for row in deliveries()] == ["m1:s1"]
