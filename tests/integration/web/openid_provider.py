"""A small OpenID Connect provider over HTTP, which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "headrace", "client-secret"


def new_key(key_id: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


@dataclass
class Provider:
    """What it says of itself and of whoever comes."""

    url: str
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "4711"})
    metadata: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: new_key("first"))
    published: list[RSAKey] = field(default_factory=list)
    algorithm: str = "RS256"
    down: bool = False
    sent: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._keys),
            ]
        )

    def _describe(self, _request: Request) -> Response:
        if self.down:
            return Response(status_code=503)
        described = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "scopes_supported": ["openid", "profile", "groups"],
        }
        return JSONResponse(described | self.metadata)

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.sent.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        asked = self._codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        by_post = given.get("client_secret") == CLIENT_SECRET
        if request.headers.get("authorization") != f"Basic {basic}" and not by_post:
            return JSONResponse({"error": "invalid_client"}, 401)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            not asked
            or given["redirect_uri"] != asked["redirect_uri"]
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != challenge
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {
                "access_token": "an-access-token",
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": self._id_token(asked["nonce"]),
            }
        )

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "nonce": nonce, "iat": now, "exp": now + 300}
        header = {"alg": self.algorithm}
        if isinstance(self.key, RSAKey):
            header["kid"] = str(self.key.kid)
        said = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return jwt.encode(header, said, self.key, algorithms=[self.algorithm])

    def _keys(self, _request: Request) -> Response:
        keys = self.published or [self.key]
        return JSONResponse({"keys": [key.as_dict(private=False) for key in keys]})


def shared_secret_key() -> OctKey:
    """Return what a token is signed with by who only knows the client's secret."""
    return OctKey.import_key(CLIENT_SECRET * 3)


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve one on a free port."""
    config = uvicorn.Config(lambda: None, port=0, log_config=None, lifespan="off", factory=True)
    socket = config.bind_socket()
    made = Provider(f"http://127.0.0.1:{socket.getsockname()[1]}")
    config = uvicorn.Config(made.application(), log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()
