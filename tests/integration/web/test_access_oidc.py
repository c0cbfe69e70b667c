"""Signing in by OpenID Connect, at a real provider over HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from browsers import HOST, account, browser, principal_in
from openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, new_key, provider, shared_secret_key
from starlette.testclient import TestClient

from models import AdminSession
from pipeline import audit
from pipeline.stores import collection
from pipeline.web.access import accounts, oidc

Setting = Callable[..., None]


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def issuer(stores: None, served: Provider, setting: Setting) -> Iterator[Provider]:
    """A provider as it should be, that the settings name; an operator comes."""
    oidc._client.cache_clear()
    fresh = Provider(served.url, key=served.key)
    fresh.claims |= {"preferred_username": "Ada@example.com", "groups": ["support"]}
    for one in dataclasses.fields(Provider):
        setattr(served, one.name, getattr(fresh, one.name))
    setting(
        OIDC_ISSUER=f"{served.url}/",
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_ROLES="sre=admin,support=operator",
        PUBLIC_BASE_URL=HOST,
    )
    yield served
    oidc._client.cache_clear()


def depart(client: TestClient, next_page: str = "/admin/audit") -> str:
    """Begin; return where the provider sends the browser back to."""
    away = client.get("/admin/sign-in/oidc", params={"next": next_page})
    assert away.status_code == 303
    back = requests.get(away.headers["location"], allow_redirects=False, timeout=5)
    return str(back.headers["location"]).removeprefix(HOST)


def sign_in(client: TestClient) -> Any:
    return client.get(depart(client))


def test_a_person_of_a_known_group_is_signed_in_with_its_role(issuer: Provider) -> None:
    client = browser()
    assert "Sign in with your organization" in client.get("/admin/sign-in").text
    response = sign_in(client)
    assert (response.status_code, response.headers["location"]) == (303, "/admin/audit")
    who = principal_in(client)
    assert (who.name, who.role) == ("oidc:ada", "operator")
    session = collection(AdminSession).find_one({})
    assert session
    assert session["method"] == "oidc"
    [entry] = audit.entries()
    assert (entry.actor, entry.outcome, entry.details) == ("oidc:ada", "done", {"method": "oidc"})
    assert "example.com" not in str(entry)


def test_the_request_has_pkce_state_nonce_and_the_scope_of_the_groups(issuer: Provider) -> None:
    client = browser()
    first, second = depart(client), depart(client)
    assert first != second
    [one, other] = issuer.sent
    assert set(one["scope"].split()) == {"openid", "profile", "groups"}
    assert one["code_challenge_method"] == "S256"
    assert one["redirect_uri"] == f"{HOST}/admin/sign-in/oidc/callback"
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name]) >= 20
        assert one[name] != other[name]


def test_the_role_follows_the_groups_and_a_change_ends_sessions(issuer: Provider) -> None:
    client, later = browser(), browser()
    sign_in(client)
    issuer.claims["groups"] = ["sre", "support"]
    sign_in(later)
    assert principal_in(later).role == "admin"
    assert client.get("/admin/settings").status_code == 303
    assert len(accounts.listed()) == 1


def test_two_people_of_one_name_are_two_accounts_and_none_is_a_local_one(issuer: Provider) -> None:
    account("ada", "admin")
    for subject in ("4711", "4712"):
        issuer.claims["sub"] = subject
        client = browser()
        sign_in(client)
        assert principal_in(client).role == "operator"
    names = [one.name for one in accounts.listed()]
    assert names[0] == "ada"
    assert names[1] == "oidc:ada"
    assert names[2].startswith("oidc:ada-")


def test_a_person_without_a_usable_name_gets_one_that_says_nothing(issuer: Provider) -> None:
    issuer.claims["preferred_username"] = "<b>Ada</b>"
    client = browser()
    sign_in(client)
    assert principal_in(client).name.removeprefix("oidc:").isalnum()


def test_a_person_without_a_role_is_told_so(issuer: Provider) -> None:
    issuer.claims["groups"] = ["staff"]
    client = browser()
    response = sign_in(client)
    assert response.status_code == 403
    assert "no role in Headrace" in response.text
    assert not accounts.listed()
    assert [(e.actor, e.outcome) for e in audit.entries()] == [("unknown", "refused")]
    assert client.get("/admin/settings").status_code == 303


def test_a_disabled_account_stays_out(issuer: Provider) -> None:
    sign_in(browser())
    account("boss", "admin")
    accounts.disable("oidc:ada")
    response = sign_in(browser())
    assert response.status_code == 403
    assert "disabled" in response.text


def other_state(url: str) -> str:
    return url.replace("state=", "state=x")


def other_issuer(url: str) -> str:
    return url.replace("iss=http", "iss=https")


def an_error(url: str) -> str:
    state = parse_qs(urlsplit(url).query)["state"][0]
    return f"{urlsplit(url).path}?state={state}&error=access_denied&error_description=<b>"


def other_code(url: str) -> str:
    return url.replace("code=", "code=x")


@pytest.mark.parametrize("change", [other_state, other_issuer, an_error, other_code])
def test_an_answer_that_is_not_the_providers_to_this_sign_in_is_refused(
    issuer: Provider, change: Callable[[str], str]
) -> None:
    client = browser()
    response = client.get(change(depart(client)))
    assert response.status_code == 403
    assert "<b>" not in response.text
    assert not collection(AdminSession).count_documents({})
    assert audit.entries() == []  # which strangers could fill


def test_an_answer_that_another_browser_began_or_that_came_already_is_refused(
    issuer: Provider,
) -> None:
    client = browser()
    back = depart(client)
    assert browser().get(back).status_code == 403
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 403


def forge(provider: Provider, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(provider, name, value)


@pytest.mark.parametrize(
    "forged",
    [
        {"claims": {"aud": "another-client"}},
        {"claims": {"aud": None}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"exp": 1}},
        {"claims": {"sub": None}},
        {"key": shared_secret_key(), "algorithm": "HS256"},
    ],
    ids=lambda forged: str(forged.get("claims", "HS256")),
)
def test_a_token_that_is_not_for_us_and_now_is_refused(
    issuer: Provider, forged: dict[str, Any]
) -> None:
    issuer.published = [issuer.key]
    claims = issuer.claims | forged.get("claims", {})
    forge(issuer, **(forged | {"claims": claims}))
    assert sign_in(browser()).status_code == 403
    assert not accounts.listed()


def test_a_token_of_another_key_under_a_known_name_is_refused(issuer: Provider) -> None:
    issuer.published = [issuer.key]
    issuer.key = new_key("first")
    assert sign_in(browser()).status_code == 403


def test_a_key_that_the_provider_has_changed_is_fetched(issuer: Provider) -> None:
    assert sign_in(browser()).status_code == 303
    issuer.key = new_key("second")
    assert sign_in(browser()).status_code == 303


def test_a_provider_that_wants_the_secret_in_the_body_gets_it_there(issuer: Provider) -> None:
    issuer.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert sign_in(browser()).status_code == 303


def test_a_provider_that_is_down_is_told_and_asked_again_the_next_time(issuer: Provider) -> None:
    issuer.down = True
    response = browser().get("/admin/sign-in/oidc")
    assert response.status_code == 503
    assert "does not answer" in response.text
    issuer.down = False
    assert sign_in(browser()).status_code == 303


def test_a_provider_that_calls_itself_otherwise_is_not_believed(issuer: Provider) -> None:
    issuer.metadata["issuer"] = "https://evil.example"
    response = browser().get("/admin/sign-in/oidc")
    assert response.status_code == 503
    assert "set up wrongly" in response.text


def test_no_destination_leads_elsewhere_after_the_provider_either(issuer: Provider) -> None:
    client = browser()
    back = client.get(depart(client, "https://evil.example/"))
    assert back.headers["location"] == "/admin/queues"


def test_without_a_provider_there_is_no_such_sign_in(stores: None) -> None:
    assert browser().get("/admin/sign-in/oidc").status_code == 404
    assert browser().get("/admin/sign-in/oidc/callback").status_code == 403
    assert "organization" not in browser().get("/admin/sign-in").text
