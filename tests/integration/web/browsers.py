"""Browsers of the web's tests: a client of the application, signed in or not."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.testclient import TestClient

from models import AdminUser
from pipeline.stores import collection
from pipeline.web.access import Role, csrf_token, sessions
from pipeline.web.access.accounts import Account, get
from pipeline.web.access.cookies import session_cookie
from pipeline.web.access.principal import Principal
from pipeline.web.app import create_app

HOST = "http://headrace.example"
PASSWORD = "orange-river-lamp-7"


def browser(*, host: str = HOST, address: str = "203.0.113.9") -> TestClient:
    """Return a browser that nobody has signed in with; it sends what browsers send."""
    return TestClient(
        create_app(),
        base_url=host,
        headers={"Origin": host, "Accept": "text/html,*/*;q=0.8"},
        follow_redirects=False,
        client=(address, 50_000),
    )


def account(name: str, role: Role = "admin") -> Account:
    """Make an account without a password, which takes no time to hash."""
    row = {"role": role, "disabled": False, "epoch": 1, "created_by": "test"}
    row |= {"_id": name, "created_at": datetime.now(UTC)}
    collection(AdminUser).replace_one({"_id": name}, row, upsert=True)
    return get(name)


def signed_in(role: Role = "admin", name: str = "", *, host: str = HOST) -> TestClient:
    """Return a browser in which an account of `role` is signed in; it sends the CSRF token."""
    client = browser(host=host)
    cookie = sessions.begin(account(name or f"the-{role}", role), "password", "Test")
    scope = {"scheme": host.partition(":")[0]}
    client.cookies.set(session_cookie(scope), cookie, domain=urlsplit(host).hostname or "")
    client.headers["X-CSRF-Token"] = csrf_token(principal_in(client))
    return client


def principal_in(client: TestClient) -> Principal:
    """Return who is signed in."""
    [cookie] = [c.value for c in client.cookies.jar if c.name.endswith("headrace_session")]
    claim = sessions.claim_of(cookie or "")
    assert claim is not None
    principal = sessions.look_up(claim)
    assert principal is not None
    return principal
