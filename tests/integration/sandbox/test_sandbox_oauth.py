"""OAuth: the web flow as Google's libraries do it, refresh, rotation, revocation, refusals."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google_client import Google, reason
from googleapiclient.errors import HttpError
from web_forms import Browser

AUTH = "https://www.googleapis.com/auth/"
SCOPES = ["openid", f"{AUTH}userinfo.email", f"{AUTH}calendar.readonly", f"{AUTH}tasks.readonly"]
REDIRECT = "https://headrace.example/oauth/callback"


@dataclass
class WebFlow:
    """The client's side of the web flow, with PKCE."""

    base_url: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def address(self, **options: str) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": "sandbox-client",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "access_type": "offline",
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{self.base_url}/o/oauth2/v2/auth?{urlencode(query | options)}"

    def exchange(self, code: str, **changes: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
        }
        return exchange(self.base_url, **(form | changes))


def exchange(base_url: str, **form: str) -> requests.Response:
    client = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    return requests.post(f"{base_url}/token", data=client | form, timeout=10)


def consent(address: str, *deny: str) -> dict[str, list[str]]:
    """Agree without a page, but for the scopes in `deny`; returns what the redirect carries."""
    denied = "".join(f"&deny_scope={scope}" for scope in deny)
    answer = requests.get(f"{address}&consent=given{denied}", allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(REDIRECT + "?")
    return query_of(answer.headers["location"])


def connect(base_url: str, user: str, *deny: str, **options: str) -> dict[str, Any]:
    """The whole web flow; returns the token endpoint's answer."""
    flow = WebFlow(base_url)
    answer = consent(flow.address(login_hint=user, **options), *deny)
    assert answer["state"] == [flow.state]
    token = flow.exchange(answer["code"][0])
    assert token.status_code == 200
    return dict(token.json())


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def get(base_url: str, path: str, token: str) -> requests.Response:
    headers = {"authorization": f"Bearer {token}"}
    return requests.get(base_url + path, headers=headers, timeout=10)


def test_the_web_flow_gives_a_token_that_works(sandbox, new_user):
    user = new_user(events=1)
    token = connect(sandbox.base_url, user, prompt="consent", nonce="once")
    assert set(token["scope"].split()) == set(SCOPES)
    claims = json.loads(base64.urlsafe_b64decode(token["id_token"].split(".")[1] + "=="))
    assert claims["email"] == f"{user}@sandbox.example"
    assert (claims["aud"], claims["nonce"]) == ("sandbox-client", "once")
    assert claims["sub"].isdecimal()
    path = "/calendar/v3/calendars/primary/events"
    assert len(get(sandbox.base_url, path, token["access_token"]).json()["items"]) == 1


def test_scopes_can_be_denied_one_by_one(sandbox, new_user):
    tasks = f"{AUTH}tasks.readonly"
    token = connect(sandbox.base_url, new_user(), tasks, prompt="consent")
    assert set(token["scope"].split()) == set(SCOPES) - {tasks}
    answer = get(sandbox.base_url, "/tasks/v1/users/@me/lists", token["access_token"])
    assert answer.status_code == 403
    assert answer.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


def test_denying_everything_is_access_denied(sandbox, new_user):
    address = WebFlow(sandbox.base_url).address(login_hint=new_user())
    assert consent(address, *SCOPES)["error"] == ["access_denied"]


def test_only_the_first_consent_gives_a_refresh_token(sandbox, new_user):
    user = new_user()
    first = connect(sandbox.base_url, user)
    second = connect(sandbox.base_url, user)
    third = connect(sandbox.base_url, user, prompt="consent")
    assert "refresh_token" not in second
    assert third["refresh_token"] != first["refresh_token"]


def test_the_user_is_chosen_and_asked_on_pages(sandbox, new_user):
    new_user()
    flow = WebFlow(sandbox.base_url)
    browser = Browser((sandbox.base_url,))
    page = browser.open(flow.address(prompt="consent"))
    assert page.headers["content-type"].startswith("text/html")
    [account] = browser.forms[0].buttons
    browser.press(account)
    assert account in browser.answer.text
    assert "See your calendars and their events" in browser.answer.text


def test_a_person_chooses_what_to_grant(sandbox, new_user):
    user = new_user()
    flow = WebFlow(sandbox.base_url)
    browser = Browser((sandbox.base_url,))
    browser.open(flow.address(prompt="select_account", login_hint="nobody"))
    form = browser.form_with("Next")
    form.fields.append(("login_hint", f"{user}@sandbox.example"))
    browser.submit(form, "Next")
    browser.press("Continue", f"{AUTH}calendar.readonly")
    answer = query_of(browser.visited[-1])
    assert answer["state"] == [flow.state]
    token = flow.exchange(answer["code"][0]).json()
    assert set(token["scope"].split()) == set(SCOPES) - {f"{AUTH}calendar.readonly"}


def test_cancelling_is_access_denied(sandbox, new_user):
    browser = Browser((sandbox.base_url,))
    browser.open(WebFlow(sandbox.base_url).address(login_hint=new_user()))
    browser.press("Cancel")
    assert query_of(browser.visited[-1])["error"] == ["access_denied"]


def test_who_has_granted_everything_is_not_asked_again(sandbox, new_user):
    user = new_user()
    connect(sandbox.base_url, user)
    browser = Browser((sandbox.base_url,))
    browser.open(WebFlow(sandbox.base_url).address(login_hint=user))
    assert "code" in query_of(browser.visited[-1])
    browser.open(WebFlow(sandbox.base_url).address(login_hint=user, prompt="consent"))
    assert "it has this already" in browser.answer.text


def test_what_was_granted_before_comes_along_if_asked_for(sandbox, new_user):
    user = new_user()
    connect(sandbox.base_url, user, scope=f"openid {AUTH}tasks.readonly")
    narrow = {"scope": f"openid {AUTH}calendar.readonly", "prompt": "consent"}
    assert "tasks" not in connect(sandbox.base_url, user, **narrow)["scope"]
    wide = connect(sandbox.base_url, user, **narrow, include_granted_scopes="true")
    assert f"{AUTH}tasks.readonly" in wide["scope"].split()


def test_an_id_token_verifies_with_the_certificates(sandbox, new_user):
    token = connect(sandbox.base_url, new_user())["id_token"]
    with requests.Session() as session:
        certs_url = f"{sandbox.base_url}/oauth2/v1/certs"
        claims = id_token.verify_token(token, Request(session), "sandbox-client", certs_url)
        assert claims["iss"] == "https://accounts.google.com"
        header, _, signature = token.split(".")
        other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "1"}).encode()).decode()
        with pytest.raises(GoogleAuthError, match="Could not verify token signature"):
            id_token.verify_token(
                f"{header}.{other}.{signature}", Request(session), None, certs_url
            )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"client_id": "stranger"}, "invalid_client"),
        ({"redirect_uri": ""}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"code_challenge": "x", "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_bad_authorization_request_is_not_redirected(sandbox, change, expected):
    query = {
        "client_id": "sandbox-client",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid",
    }
    address = f"{sandbox.base_url}/o/oauth2/v2/auth"
    answer = requests.get(address, params=query | change, allow_redirects=False, timeout=10)
    assert answer.status_code == 400
    assert expected in answer.text


@pytest.mark.parametrize(
    ("verifier", "expected"),
    [("", "Missing code verifier."), ("x" * 43, "Invalid code verifier.")],
)
def test_a_code_is_worth_nothing_without_its_verifier(sandbox, new_user, verifier, expected):
    flow = WebFlow(sandbox.base_url)
    code = consent(flow.address(login_hint=new_user()))["code"][0]
    answer = flow.exchange(code, code_verifier=verifier)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_grant", "error_description": expected}


def test_a_code_works_once_and_for_its_own_address(sandbox, new_user):
    flow, user = WebFlow(sandbox.base_url), new_user()
    code = consent(flow.address(login_hint=user))["code"][0]
    assert flow.exchange(code).status_code == 200
    again = flow.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    code = consent(flow.address(login_hint=user))["code"][0]
    elsewhere = flow.exchange(code, redirect_uri="https://elsewhere.example/")
    assert elsewhere.json()["error"] == "redirect_uri_mismatch"


def test_the_client_may_sign_in_by_basic_authentication(sandbox, new_user):
    flow = WebFlow(sandbox.base_url)
    code = consent(flow.address(login_hint=new_user()))["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    answers = [
        requests.post(
            f"{sandbox.base_url}/token",
            data=form | {"code_verifier": flow.verifier},
            auth=("sandbox-client", secret),
            timeout=10,
        ).status_code
        for secret in ("wrong", "sandbox-secret")
    ]
    assert answers == [401, 200]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "stranger"}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "unknown"}, 400, "invalid_grant"),
    ],
)
def test_the_token_endpoint_refuses_in_googles_words(sandbox, form, status, error):
    answer = exchange(sandbox.base_url, **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_refresh_cannot_widen_the_scopes(new_user, sign_in):
    google = sign_in(new_user(), [f"{AUTH}tasks.readonly"])
    google.credentials._scopes = [f"{AUTH}calendar.readonly"]
    with pytest.raises(RefreshError, match="invalid_scope"):
        google.refresh()


def test_a_revoked_grant_is_an_invalid_grant(sandbox, new_user, sign_in):
    user = new_user()
    google = sign_in(user)
    google.refresh()
    answer = requests.post(
        f"{sandbox.base_url}/revoke", params={"token": google.credentials.token}, timeout=10
    )
    assert answer.status_code == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        google.refresh()
    again = requests.post(f"{sandbox.base_url}/revoke", data={"token": "x"}, timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


def test_control_revokes_and_narrows_a_grant(sandbox, new_user, sign_in):
    user = new_user()
    google = sign_in(user)
    google.refresh()
    sandbox.tokens(user, "scopes", [f"{AUTH}calendar.readonly"])
    with pytest.raises(HttpError) as refused:
        google.tasks.tasklists().list().execute()
    assert (refused.value.status_code, reason(refused.value)) == (403, "insufficientPermissions")
    assert google.calendar.calendarList().list().execute()["items"]
    sandbox.tokens(user, "revoke")
    with pytest.raises(RefreshError, match="invalid_grant"):
        google.calendar.calendarList().list().execute()


def test_an_expired_access_token_is_refreshed_by_the_library(sandbox, new_user, sign_in):
    user = new_user()
    google = sign_in(user)
    google.calendar.calendarList().list().execute()
    before = google.credentials.token
    sandbox.tokens(user, "expire")
    google.calendar.calendarList().list().execute()
    assert google.credentials.token != before
    refusals = [row for row in sandbox.usage() if row["code"] == 401]
    assert len(refusals) == 1


def test_access_tokens_live_as_long_as_control_says(sandbox, new_user, sign_in):
    sandbox.settings(access_token_seconds=60)
    google = sign_in(new_user())
    google.refresh()
    token = google.credentials.token
    sandbox.clock(61)
    answer = get(sandbox.base_url, "/tasks/v1/users/@me/lists", token)
    assert answer.status_code == 401
    assert answer.json()["error"]["errors"][0]["reason"] == "authError"


def test_rotation_replaces_the_refresh_token(sandbox, new_user, sign_in):
    user = new_user()
    sandbox.tokens(user, "rotate_on")
    google = sign_in(user)
    old = google.credentials.refresh_token
    google.refresh()
    new = google.credentials.refresh_token
    assert new != old
    stale = {"grant_type": "refresh_token", "refresh_token": old}
    assert exchange(sandbox.base_url, **stale).json()["error"] == "invalid_grant"
    google.refresh()
    assert google.credentials.refresh_token != new
    sandbox.tokens(user, "rotate_off")
    kept = google.credentials.refresh_token
    google.refresh()
    assert google.credentials.refresh_token == kept


def test_rotation_can_leave_a_grace(sandbox, new_user, sign_in):
    sandbox.settings(rotation_grace_seconds=30)
    user = new_user()
    sandbox.tokens(user, "rotate_on")
    google = sign_in(user)
    stale = {"grant_type": "refresh_token", "refresh_token": google.credentials.refresh_token}
    google.refresh()
    assert exchange(sandbox.base_url, **stale).status_code == 200
    sandbox.clock(31)
    assert exchange(sandbox.base_url, **stale).json()["error"] == "invalid_grant"


def test_the_hundred_and_first_refresh_token_kills_the_first(sandbox, new_user):
    user = new_user()
    first = sandbox.authorized_user(user)["refresh_token"]
    for _ in range(100):
        last = sandbox.authorized_user(user)["refresh_token"]
    answers = [
        exchange(sandbox.base_url, grant_type="refresh_token", refresh_token=token).status_code
        for token in (first, last)
    ]
    assert answers == [400, 200]


def test_no_token_and_a_foreign_token_are_unauthorized(sandbox):
    for headers in ({}, {"authorization": "Bearer stolen"}):
        for path in ("/calendar/v3/users/me/calendarList", "/v1/people/me/connections"):
            answer = requests.get(sandbox.base_url + path, headers=headers, timeout=10)
            assert answer.status_code == 401


def test_the_authorized_user_file_is_googles(sandbox, new_user):
    given = sandbox.authorized_user(new_user(), [f"{AUTH}tasks.readonly"])
    assert given["type"] == "authorized_user"
    assert given["scopes"] == [f"{AUTH}tasks.readonly"]
    google = Google(sandbox.base_url, given)
    assert google.tasks.tasklists().list().execute()["items"]
    google.close()
