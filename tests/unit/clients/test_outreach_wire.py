"""What goes wrong between us and a provider: before the connection, and from then on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from requests.auth import HTTPBasicAuth

from pipeline.clients import outreach_http
from pipeline.clients.outreach_http import Request
from pipeline.clients.sending_errors import NotTaken, Unanswered
from pipeline.errors import HeadraceError

Setting = Callable[..., None]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def answering(*answers: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server on a port that gives these answers, one per connection, and hangs up.

    None: it only hangs up, once the request is there.
    """
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    requests.append(connection.recv(65_536))
                    connection.sendall(answer or b"")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], requests
        thread.join(5)


def ask(url: str) -> Request:
    return Request(
        "twilio", "POST Messages", "POST", url, HTTPBasicAuth("a", "b"), form={"To": "+49"}
    )


def failure(url: str) -> HeadraceError:
    with pytest.raises(HeadraceError) as found:
        outreach_http.ask(ask(url))
    assert url not in str(found.value)
    return found.value


@pytest.fixture(autouse=True)
def impatience(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    setting(PROVIDER_TIMEOUT_SECONDS=1)


def test_without_a_connection_nothing_was_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for url in (
        f"http://127.0.0.1:{port}",
        f"https://127.0.0.1:{port}",
        "http://nowhere.invalid",
        "http://127.0.0.1:99999",
        "nowhere",
    ):
        assert isinstance(failure(url), NotTaken)


def test_tls_is_a_part_of_the_connection() -> None:
    with answering(b"220 not TLS\r\n") as (port, _):
        assert isinstance(failure(f"https://127.0.0.1:{port}"), NotTaken)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert isinstance(failure(url), NotTaken)


@pytest.mark.parametrize(
    "answer", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", b"no HTTP at all\r\n\r\n"]
)
def test_from_the_request_on_it_may_have_been_taken(answer: bytes | None) -> None:
    with answering(answer) as (port, requests):
        assert isinstance(failure(f"http://127.0.0.1:{port}"), Unanswered)
    assert len(requests) == 1


def test_silence_after_the_request_may_be_a_yes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert isinstance(failure(url), Unanswered)


def test_nothing_is_sent_twice_and_no_redirect_is_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    with answering(moved) as (port, requests):
        assert outreach_http.ask(ask(f"http://127.0.0.1:{port}")).status_code == 307
    assert len(requests) == 1
    cookie = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    )
    with answering(cookie, GOOD) as (port, requests):
        for _ in range(2):
            outreach_http.ask(ask(f"http://127.0.0.1:{port}"))
    assert b"Cookie" not in requests[1]


def test_an_answer_that_is_no_json_says_nothing() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    with answering(page) as (port, _):
        request = ask(f"http://127.0.0.1:{port}")
        answer = outreach_http.ask(request)
    with pytest.raises(Unanswered):
        outreach_http.object_of(request, answer)
