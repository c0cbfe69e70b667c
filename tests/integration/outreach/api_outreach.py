"""Callers of the outreach API: where things are, what a refusal is about, lists page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import outreach_rows as rows
from api_client import caller
from starlette.testclient import TestClient

from models import Tenant
from pipeline.stores import collection


def at(path: str = "", tenant: str = "acme") -> str:
    return f"tenants/{tenant}/outreach{path}"


def wrong(answer: Any, status: int = 422) -> list[str]:
    """Return which fields a refusal is about, each with what to do."""
    assert answer.status_code == status, answer.text
    found = answer.json()["errors"]
    assert all(one["problem"] and one["fix"] for one in found)
    return [one["field"] for one in found]


def pages(client: TestClient, path: str, name: str, **query: Any) -> Iterator[str]:
    """Yield the ids of a list, a page for each row."""
    query |= {"limit": 1}
    while True:
        answer = client.get(at(path), params=query)
        assert answer.status_code == 200, answer.text
        yield from (one["id"] for one in answer.json()[name])
        if answer.json()["next"] is None:
            return
        query["cursor"] = answer.json()["next"]


def owner() -> TestClient:
    """Return a client that may do all, of a tenant that has set something."""
    row = {"_id": "acme", "postal_address": "1 Main Street", "name": "Acme"}
    collection(Tenant).insert_one(row | {"created_at": rows.now(), "updated_at": rows.now()})
    return caller()
