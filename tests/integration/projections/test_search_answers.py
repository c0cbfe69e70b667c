"""What the answers of an OpenSearch mean that has trouble, or does not want us."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.errors import HeadraceError, Misconfigured, Permanent, RateLimited, Transient
from pipeline.projections import search
from pipeline.projections.search.documents import Change

Setting = Callable[..., None]
DELETION = Change("a" * 32, "ada", 1, None)


class Answers(BaseHTTPRequestHandler):
    """Answers everything with the status and the body that are set."""

    status = 200
    body: Any = None

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = json.dumps(self.body).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def answers(setting: Setting) -> Iterator[type[Answers]]:
    """A server that answers as it is told, at SEARCH_URL."""
    told = type("Told", (Answers,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    setting(SEARCH_URL=f"http://ada:secret@127.0.0.1:{server.server_port}")
    yield told
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, RateLimited),
        (500, Transient),
        (503, Transient),
        (401, Misconfigured),
        (403, Misconfigured),
        (400, Permanent),
        (413, Permanent),
    ],
)
def test_what_a_refusal_means(
    answers: type[Answers], status: int, error: type[HeadraceError]
) -> None:
    answers.status = status
    answers.body = {"error": {"type": "some_exception", "reason": "[my secret diary]"}}
    for ask in (search.ping, lambda: search.store().write([DELETION], "i")):
        with pytest.raises(error) as raised:
            ask()
        assert "secret" not in str(raised.value)
        assert "diary" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "problem", "error", "told"),
    [
        (429, {"type": "rejected"}, RateLimited, "too much to do"),
        (503, {"type": "unavailable"}, Transient, "could not write"),
        (404, {"type": "index_not_found_exception"}, Transient, "replaced meanwhile"),
        (
            400,
            {
                "type": "mapper_parsing_exception",
                "reason": "failed to parse field [at] of type [date]. Preview: 'my diary'",
            },
            Permanent,
            "the field at of a document",
        ),
        (
            400,
            {
                "type": "strict_dynamic_mapping_exception",
                "reason": "mapping set to strict, dynamic introduction of [mood] within [_doc]",
            },
            Permanent,
            "the field mood of a document",
        ),
    ],
)
def test_what_the_refusal_of_one_document_means(
    answers: type[Answers],
    status: int,
    problem: dict[str, str],
    error: type[HeadraceError],
    told: str,
) -> None:
    item = {"delete": {"_id": DELETION.id, "status": status, "error": problem}}
    fine = {"index": {"_id": "b", "status": 201}}
    answers.body = {"errors": True, "items": [fine, item]}
    with pytest.raises(error, match=told) as raised:
        search.store().write([DELETION], "i")
    assert "diary" not in str(raised.value)


def test_a_newer_version_is_no_failure(answers: type[Answers]) -> None:
    conflict = {"type": "version_conflict_engine_exception", "reason": "there is 7"}
    item = {"index": {"_id": "b", "status": 409, "error": conflict}}
    answers.body = {"errors": True, "items": [item]}
    search.store().write([DELETION], "i")
