"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from browsers import browser
from starlette.testclient import TestClient

from pipeline.web import stores as web_stores
from pipeline.web.app import create_app

Setting = Callable[..., None]


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """No answer of an earlier test is remembered."""
    web_stores.prober.cache_clear()
    yield
    web_stores.prober.cache_clear()


def test_a_process_that_lives_says_so_whatever_its_stores_do(setting: Setting) -> None:
    setting(REDIS_URL="redis://127.0.0.1:1/0", MONGODB_URI="mongodb://127.0.0.1:1/headrace")
    assert browser().get("/healthz").json()["status"] == "ok"


def test_readiness_names_each_store_and_how_fast_it_answers(stores: None) -> None:
    response = browser().get("/readyz")
    assert response.status_code == 200
    found = response.json()
    assert found["status"] == "ready"
    assert set(found["stores"]) == {"mongodb", "redis", "graph"}
    for store in found["stores"].values():
        assert store["status"] == "ok"
        assert store["latency_ms"] > 0


def test_without_redis_it_is_not_ready_and_says_why(stores: None, setting: Setting) -> None:
    setting(REDIS_URL="redis://:secret-word@127.0.0.1:1/0")
    response = browser().get("/readyz")
    assert response.status_code == 503
    found = response.json()["stores"]["redis"]
    assert found["status"] == "down"
    assert "REDIS_URL" in found["problem"]
    assert "secret-word" not in response.text


def test_without_the_graph_it_is_degraded_but_ready(stores: None, setting: Setting) -> None:
    setting(GRAPH_URI="bolt://127.0.0.1:1")
    response = browser().get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")


def local(**headers: str) -> TestClient:
    return TestClient(create_app(), headers=headers, client=("127.0.0.1", 1))


def test_metrics_are_for_this_machine_or_for_who_has_the_token(setting: Setting) -> None:
    assert "python_info" in local().get("/metrics").text
    assert local(**{"X-Forwarded-For": "203.0.113.9"}).get("/metrics").status_code == 403
    assert browser().get("/metrics").status_code == 403
    setting(METRICS_TOKEN="a-long-token")
    assert local().get("/metrics").status_code == 401
    assert browser().get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
    sent = {"Authorization": "Bearer a-long-token"}
    assert "python_info" in browser().get("/metrics", headers=sent).text
