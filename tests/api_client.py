"""A client of the API, as a program that holds a token has it."""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipeline import api_tokens
from pipeline.web.api import routes

#: The application with nothing but the API.
APP = Starlette(routes=routes)


def new_token(*scopes: str, tenant_id: str | None = None, days: float | None = None) -> str:
    """Return a new token; without `scopes` it has all."""
    name = f"test-{secrets.token_hex(4)}"
    made = api_tokens.create(
        name, scopes or list(api_tokens.SCOPES), by="test", tenant_id=tenant_id, days=days
    )
    return made.secret


def anybody() -> TestClient:
    """Return a client without a token."""
    return TestClient(APP, base_url="http://api.test/api/v1/", raise_server_exceptions=False)


def holder(token: str) -> TestClient:
    """Return a client that sends `token`."""
    client = anybody()
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def caller(*scopes: str, tenant_id: str | None = None) -> TestClient:
    """Return a client with a new token; without `scopes` it has all."""
    return holder(new_token(*scopes, tenant_id=tenant_id))
