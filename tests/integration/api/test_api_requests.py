"""What every request to the API goes through, and how every refusal looks."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from api_client import APP, anybody, caller
from starlette.testclient import TestClient

from pipeline.web.api import api
from pipeline.web.api.problems import STATUSES
from pipeline.web.stores import prober

pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture
def client() -> TestClient:
    return caller()


def problem_of(client: TestClient, method: str, path: str, **more: object) -> dict[str, object]:
    answer = client.request(method, path, **more)  # type: ignore[arg-type]
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = answer.json()
    assert found["status"] == answer.status_code
    return found


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("jobs/%zz", 400, "write %25"),
        ("jobs/100%", 400, "write %25"),
        ("jobs?search=%q", 400, "the query holds a percent sign"),
        ("jobs/%ff", 400, "not UTF-8"),
        ("jobs?search=%ff", 400, "not UTF-8"),
        ("jobs/a%00b", 400, "control characters"),
        ("jobs/a%0Ab", 400, "control characters"),
        ("jobs%0A", 400, "control characters"),
        ("jobs?search=%00", 400, "control characters"),
        ("jobs/", 404, "nothing at this address"),
        ("nothing", 404, "nothing at this address"),
        ("jobs/a/b/c", 404, "nothing at this address"),
        ("docs", 404, "nothing at this address"),
    ],
)
def test_an_address_that_is_none_is_refused_in_words(
    client: TestClient, path: str, status: int, text: str
) -> None:
    # The transport of tests would mend the address; a socket would not.
    scope_path = f"http://api.test/api/v1/{path}"
    answer = client.send(_raw(client, scope_path))
    assert answer.status_code == status
    assert text in answer.json()["detail"]


def _raw(client: TestClient, url: str) -> object:
    import httpx

    request = client.build_request("GET", "http://api.test/")
    target = url.removeprefix("http://api.test").encode()
    request.url = httpx.URL("http://api.test/")
    request.url = request.url.copy_with(raw_path=target)
    return request


def test_a_method_that_does_nothing_is_told_what_does(client: TestClient) -> None:
    answer = client.delete("jobs/x/cancel")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.patch("users/ada").headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "a/json"])
def test_a_body_that_is_not_json_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post("dead-letters/x/dismiss", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_body_in_pieces_is_cut_off_when_it_is_too_large(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 10_000

    headers = {"Content-Type": "application/json"}
    answer = client.post("dead-letters/x/dismiss", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("given", ["ticket-17", "x" * 64, "a b"])
def test_a_correlation_id_comes_back(client: TestClient, given: str) -> None:
    answer = client.get("jobs/nobody", headers={"X-Correlation-ID": given})
    assert answer.headers["x-correlation-id"] == given
    assert answer.json()["instance"] == given.replace(" ", "%20")


@pytest.mark.parametrize("given", ["", "x" * 65, "a\tb", "naïve"])
def test_an_id_that_could_not_stand_in_a_log_line_is_replaced(
    client: TestClient, given: str
) -> None:
    headers = {"X-Correlation-ID": given.encode()}
    answer = client.get("jobs/nobody", headers=headers)
    assert len(answer.headers["x-correlation-id"]) == 16


def test_requests_are_logged_without_what_is_personal(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipeline.web.api")
    client.get("jobs/a%2Fada@example.com", headers={"X-Correlation-ID": "ticket-17"})
    [record] = [one for one in caplog.records if one.getMessage() == "API request"]
    said = vars(record)
    assert (said["route"], said["status"], said["correlation_id"]) == (
        "/jobs/{job}",
        404,
        "ticket-17",
    )
    assert said["token"].startswith("test-")
    assert "ada@" not in str(said)


def test_foreign_origins_get_no_access(client: TestClient) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}
        answer = client.request(method, "jobs", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.get("jobs").headers["cache-control"] == "no-store"


def test_a_store_that_is_down_is_named(client: TestClient) -> None:
    prober().health()
    prober().note("redis", "Redis does not answer (ConnectionError)")
    try:
        answer = client.get("jobs")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["detail"] == "Redis does not answer (ConnectionError)"
        assert client.get("dead-letters").status_code == 200
        status = client.get("status").json()
        assert status["queues"] is None
        assert status["sources"] is not None
        assert [store["store"] for store in status["stores"] if not store["ok"]] == ["redis"]
    finally:
        prober.cache_clear()


def test_a_store_that_dies_under_a_request_is_named_and_not_asked_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import TimeoutError as NoRedis

    def broken(*_: object, **__: object) -> None:
        raise NoRedis("redis://:secret@host")

    prober().health()
    monkeypatch.setattr("pipeline.jobs.search.search", broken)
    try:
        problem = problem_of(client, "GET", "jobs")
        assert problem["status"] == 503
        assert str(problem["detail"]).startswith("Redis does not answer (TimeoutError)")
        assert prober().known_problem("redis")
    finally:
        prober.cache_clear()


def test_a_fault_of_ours_is_told_without_its_text(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr("pipeline.jobs.search.search", broken)
    answer = client.get("jobs", headers={"X-Correlation-ID": "ticket-17"})
    assert (answer.status_code, answer.json()["instance"]) == (500, "ticket-17")
    assert "ada@" not in answer.text + caplog.text
    assert "KeyError" in str([vars(record) for record in caplog.records])


def test_every_status_of_the_document_is_a_problem_that_is_described() -> None:
    document = anybody().get("openapi.json").json()
    assert document["servers"] == [{"url": "/api/v1"}]
    for methods in document["paths"].values():
        for operation in methods.values():
            refusals = {int(s): one for s, one in operation["responses"].items() if s >= "400"}
            assert refusals.keys() <= STATUSES.keys()
            for response in refusals.values():
                assert list(response["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_application_can_be_mounted_anywhere() -> None:
    assert api in [route.app for route in APP.routes]  # type: ignore[attr-defined]
