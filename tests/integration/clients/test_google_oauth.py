"""Google's web flow as the client sees it: what is refused, and what that means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from pipeline.clients import google_oauth
from pipeline.clients.consents import Consent
from pipeline.clients.google_scopes import IDENTITY_SCOPES, missing_scope, scopes_of_source
from pipeline.errors import HeadraceError, Misconfigured, Permanent, Transient
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.grants import CLIENT_ID, CLIENT_SECRET
from pipeline.sources import sources_of

ASKED = Consent(
    redirect_uri="https://headrace.example/connect/google/callback",
    scopes=(*IDENTITY_SCOPES, *scopes_of_source("google_tasks")),
    state="the-state",
    verifier="v" * 64,
    nonce="the-nonce",
    login_hint="ada",
    prompt="consent",
)


@pytest.fixture(autouse=True)
def _client(sandbox: SandboxClient, setting: Callable[..., None]) -> None:
    sandbox.add_user("ada")
    setting(
        GOOGLE_ACCOUNTS_BASE_URL=sandbox.base_url,
        GOOGLE_CERTS_URL=f"{sandbox.base_url}/oauth2/v1/certs",
        GOOGLE_CLIENT_ID=CLIENT_ID,
        GOOGLE_CLIENT_SECRET=CLIENT_SECRET,
    )


def code_for(asked: Consent = ASKED) -> str:
    """Agree without a page; return the code."""
    url = f"{google_oauth.consent_url(asked)}&consent=given"
    answer = requests.get(url, allow_redirects=False, timeout=10)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


@pytest.mark.parametrize("source", sources_of("google"))
def test_what_a_source_asks_for_is_what_it_needs(source: str) -> None:
    assert missing_scope(scopes_of_source(source), source) is None


def test_a_code_becomes_a_grant() -> None:
    grant = google_oauth.exchange(code_for(), ASKED)
    assert grant.lasts
    assert grant.email == "ada@sandbox.example"
    assert set(grant.scopes) == set(ASKED.scopes)
    left = datetime.fromisoformat(grant.secrets["expiry"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < left < timedelta(minutes=61)


def test_scopes_other_than_were_asked_for_are_no_error() -> None:
    google_oauth.exchange(code_for(), ASKED)
    wider = replace(ASKED, scopes=(*IDENTITY_SCOPES, *scopes_of_source("google_gmail")))
    grant = google_oauth.exchange(code_for(wider), wider)
    assert set(grant.scopes) == set(ASKED.scopes) | set(wider.scopes)


@pytest.mark.parametrize(
    ("asked", "settings", "error", "text"),
    [
        (replace(ASKED, verifier="w" * 64), {}, Permanent, "Google refuses the code"),
        (replace(ASKED, nonce="another"), {}, Permanent, "belongs to another request"),
        (
            replace(ASKED, redirect_uri="https://evil.example/"),
            {},
            Misconfigured,
            "redirect_uri_mismatch",
        ),
        (ASKED, {"GOOGLE_CLIENT_SECRET": "wrong"}, Misconfigured, "invalid_client"),
        (ASKED, {"GOOGLE_CLIENT_ID": ""}, Misconfigured, "GOOGLE_CLIENT_ID must be set"),
        (ASKED, {"GOOGLE_CERTS_URL": "http://127.0.0.1:1"}, Transient, "certificates"),
        (ASKED, {"GOOGLE_OAUTH_BASE_URL": "http://127.0.0.1:1"}, Transient, "token endpoint"),
    ],
)
def test_a_refused_code_says_who_can_mend_it(
    asked: Consent,
    settings: dict[str, str],
    error: type[HeadraceError],
    text: str,
    setting: Callable[..., None],
) -> None:
    code = code_for()
    setting(**settings)
    with pytest.raises(error, match=text) as refused:
        google_oauth.exchange(code, asked)
    assert code not in str(refused.value)


def test_a_code_works_once() -> None:
    code = code_for()
    google_oauth.exchange(code, ASKED)
    with pytest.raises(Permanent, match="it was used before"):
        google_oauth.exchange(code, ASKED)


def test_an_id_token_for_another_client_is_refused(
    sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": code_for(),
        "redirect_uri": ASKED.redirect_uri,
        "code_verifier": ASKED.verifier,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    token = requests.post(f"{sandbox.base_url}/token", data=form, timeout=10).json()["id_token"]
    assert google_oauth.id_token_claims(token)["aud"] == CLIENT_ID
    setting(GOOGLE_CLIENT_ID="another-client")
    with pytest.raises(Permanent, match="does not verify"):
        google_oauth.id_token_claims(token)
    with pytest.raises(Permanent, match="does not verify"):
        google_oauth.id_token_claims("not.a.token")


def test_revoking_twice_is_no_error() -> None:
    token = google_oauth.exchange(code_for(), ASKED).secrets["refresh_token"]
    assert google_oauth.revoke(token)
    assert not google_oauth.revoke(token)
