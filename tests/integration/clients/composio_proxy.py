"""A stand-in for Composio's proxy, over HTTP: it holds the grants and asks the sandbox.

https://docs.composio.dev/reference/api-reference/tools/postToolsExecuteProxy
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import requests

API_KEY = "composio-key"


@dataclass
class ComposioProxy:
    """Serves on a free port while it is entered.

    `grants` are authorized-user forms by connected account; `refusals` are
    answered, first come first served, in the place of the provider's answer.
    """

    sandbox_url: str
    grants: dict[str, Mapping[str, Any]]
    refusals: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer, headers = proxy.answer(self.path, self.headers["x-api-key"], body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                own = {"content-type": "application/json", "content-length": str(len(content))}
                for name, value in {**own, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(
        self, path: str, api_key: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Return status, JSON and headers of the answer to one proxied call."""
        assert path == "/api/v3.1/tools/execute/proxy"
        self.seen.append(body)
        if api_key != API_KEY:
            return 401, {"error": {"message": "Invalid API key"}}, {}
        if self.refusals:
            return self.refusals.pop(0)
        account = body["connected_account_id"]
        if account not in self.grants:
            return 404, {"error": {"message": "Connected account not found"}}, {}
        return 200, self._forwarded(body, self.grants[account]), {}

    def _forwarded(self, body: dict[str, Any], grant: Mapping[str, Any]) -> dict[str, Any]:
        refresh = {**grant, "grant_type": "refresh_token"}
        token = requests.post(f"{self.sandbox_url}/token", data=refresh, timeout=5).json()
        answer = requests.request(
            body["method"],
            body["endpoint"],
            json=body.get("body"),
            headers={"authorization": f"Bearer {token['access_token']}"},
            timeout=5,
        )
        is_json = "json" in answer.headers["content-type"]
        return {
            "status": answer.status_code,
            "headers": dict(answer.headers),
            "data": answer.json() if is_json else answer.text,
        }
