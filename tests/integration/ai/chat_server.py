"""An OpenAI-compatible API on this machine that answers as it was told, and remembers."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test"

#: What is answered when nothing was said, by the name of the schema.
USUAL: dict[str, dict[str, Any]] = {
    "generate_summary": {"summary": "It is due.", "key_points": ["pay"], "confidence": 0.9},
    "translate": {"translated": "Good day", "detected_language": "de"},
    "categorize": {
        "suggestions": [{"category_id": "finance", "confidence": 0.9, "reasoning": "invoice"}],
        "indicators": ["invoice"],
    },
    "note_cleanup": {
        "cleaned_content": "All is well.",
        "changes": [{"type": "spelling", "count": 2}],
    },
    "extract_mentions": {"mentions": [{"kind": "organization", "name": "Bank", "confidence": 0.8}]},
}


@dataclass(slots=True)
class Scripted:
    """How one call is answered; `text` is what the model says, JSON of a value otherwise."""

    says: Any = None
    text: str | None = None
    status: int = 200
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    finish_reason: str = "stop"
    refusal: str | None = None
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 40},
        }
    )
    wait: threading.Event | None = None


class ChatServer:
    """The server; each call takes the next of `script`, or the usual."""

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.requests: list[dict[str, Any]] = []
        self.arrived = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                with suppress(ConnectionError):  # who asked has given up
                    server.answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def say(self, *answers: Scripted) -> None:
        """Answer the next calls so."""
        self.script.extend(answers)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one call."""
        length = int(handler.headers["Content-Length"])
        request = json.loads(handler.rfile.read(length))
        request["_path"], request["_key"] = handler.path, handler.headers["Authorization"]
        self.requests.append(request)
        self.arrived.set()
        scripted = self.script.popleft() if self.script else Scripted()
        if scripted.wait is not None:
            scripted.wait.wait(30)
        body = scripted.body if scripted.body is not None else _body(scripted, request)
        handler.send_response(scripted.status)
        for name, value in scripted.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _body(scripted: Scripted, request: dict[str, Any]) -> bytes:
    if scripted.status != 200:
        return json.dumps({"error": scripted.error or {"message": "no"}}).encode()
    name = request["response_format"]["json_schema"]["name"]
    said = USUAL[name] if scripted.says is None else scripted.says
    text = json.dumps(said) if scripted.text is None else scripted.text
    message = {"role": "assistant", "content": text, "refusal": scripted.refusal}
    choice = {"index": 0, "finish_reason": scripted.finish_reason, "message": message}
    found = {"id": "c", "object": "chat.completion", "created": 1, "model": request["model"]}
    return json.dumps(found | {"choices": [choice], "usage": scripted.usage}).encode()


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """A server for the block."""
    server = ChatServer()
    try:
        yield server
    finally:
        server.close()
