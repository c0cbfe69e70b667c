"""Microsoft's identity platform, as MSAL meets it."""

from __future__ import annotations

import base64
import json

import msal
import pytest
import requests
from graph_client import REDIRECT, SCOPES, Graph, application, consent
from jwt import PyJWKClient, decode

from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, TENANT_ID

# The library recommends a form; here the answer is read from the address.
pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user(messages=0)
    sandbox.open_mailbox(user, "Europe/Berlin")
    return user


@pytest.fixture
def app(sandbox):
    return application(sandbox.base_url, msal.SerializableTokenCache())


def flow_of(app, **options):
    options = {"redirect_uri": REDIRECT, "login_hint": "", **options}
    return app.initiate_auth_code_flow(SCOPES, **options)


def signed_in(app, user):
    flow = flow_of(app, login_hint=user)
    return app.acquire_token_by_auth_code_flow(flow, consent(flow, consent="given"))


def test_a_flow_ends_with_tokens_and_an_account(sandbox, app, ada):
    answer = signed_in(app, ada)
    claims = answer["id_token_claims"]
    assert claims["preferred_username"] == f"{ada}@sandbox.example"
    assert (claims["tid"], claims["aud"]) == (TENANT_ID, MICROSOFT_CLIENT_ID)
    assert set(SCOPES) <= set(answer["scope"].split())
    (account,) = app.get_accounts()
    assert account["home_account_id"] == f"{claims['oid']}.{TENANT_ID}"
    me = Graph(sandbox.base_url, answer["access_token"]).get("/me")
    assert me["id"] == claims["oid"]


def test_the_id_token_is_signed_by_a_published_key(sandbox, app, ada):
    token = signed_in(app, ada)["id_token"]
    keys = PyJWKClient(f"{sandbox.base_url}/common/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(token).key
    assert decode(token, key, algorithms=["RS256"], audience=MICROSOFT_CLIENT_ID)["ver"] == "2.0"


def test_refresh_tokens_roll_and_old_ones_stay_good(app, ada):
    first = signed_in(app, ada)["refresh_token"]
    for token in (first, first):
        again = app.acquire_token_by_refresh_token(token, SCOPES)
        assert again["refresh_token"] != first
    (account,) = app.get_accounts()
    quiet = app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)
    assert quiet["token_source"] == "identity_provider"
    assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"


@pytest.mark.parametrize(
    ("action", "error", "number", "suberror"),
    [
        ("revoke", "invalid_grant", 65001, "consent_required"),
        ("password", "invalid_grant", 50173, "bad_token"),
        ("inactive", "invalid_grant", 700082, "bad_token"),
        ("proof", "interaction_required", 50076, "basic_action"),
    ],
)
def test_a_dead_grant_says_why(sandbox, app, ada, action, error, number, suberror):
    token = signed_in(app, ada)
    sandbox.microsoft_tokens(ada, action)
    (account,) = app.get_accounts()
    refused = app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)
    assert (refused["error"], refused["suberror"]) == (error, suberror)
    assert refused["error_codes"] == [number]
    assert f"AADSTS{number}: " in refused["error_description"]
    graph = Graph(sandbox.base_url, token["access_token"])
    assert graph.refusal("GET", "/me") == (401, "InvalidAuthenticationToken")
    fresh = application(sandbox.base_url)
    silent = flow_of(fresh, login_hint=ada, prompt="none")
    assert consent(silent)["error"] == "interaction_required"
    assert "access_token" in signed_in(fresh, ada), "consenting again makes it good"
    old = fresh.acquire_token_by_refresh_token(token["refresh_token"], SCOPES)
    assert old["error"] == "invalid_grant", "but not what was revoked"


def test_a_wrong_secret_is_not_the_users_fault(sandbox, ada):
    wrong = application(sandbox.base_url, secret="wrong")
    refused = signed_in(wrong, ada)
    assert refused["error"] == "invalid_client"
    assert refused["error_codes"] == [7000215]


def test_a_code_works_once_with_its_verifier_and_address(app, ada):
    flow = flow_of(app, login_hint=ada)
    answer = consent(flow, consent="given")
    wrong = flow | {"code_verifier": "x" * 43}
    assert app.acquire_token_by_auth_code_flow(wrong, answer)["error_codes"] == [501481]
    flow = flow_of(app, login_hint=ada)
    answer = consent(flow, consent="given")
    assert "access_token" in app.acquire_token_by_auth_code_flow(flow, answer)
    other = flow | {"nonce": flow["nonce"]}
    assert app.acquire_token_by_auth_code_flow(other, answer)["error"] == "invalid_grant"
    with pytest.raises(ValueError, match="state"):
        app.acquire_token_by_auth_code_flow(flow, answer | {"state": "other"})


def test_the_pages_ask_who_it_is_and_for_all_or_nothing(sandbox, app, ada):
    flow = flow_of(app, login_hint=ada, prompt="select_account")
    accounts = requests.get(flow["auth_uri"], timeout=10)
    assert f"{ada}@sandbox.example" in accounts.text
    page = requests.get(flow["auth_uri"], params={"account": "chosen"}, timeout=10)
    assert "Read and write access to your mail" in page.text
    assert "checkbox" not in page.text
    assert consent(flow, consent="denied")["error"] == "access_denied"
    consent(flow, account="chosen", consent="given")
    again = flow_of(app, login_hint=ada)
    assert "code" in consent(again), "what was consented is not asked again"


def test_an_answer_can_come_as_a_form(app, ada):
    flow = flow_of(app, login_hint=ada, response_mode="form_post")
    page = requests.get(flow["auth_uri"], params={"consent": "given"}, timeout=10)
    assert f"<form method=post action='{REDIRECT}'>" in page.text
    assert f"name='state' value='{flow['state']}'" in page.text


def test_a_bad_request_is_told_on_a_page(sandbox):
    reply = requests.get(
        f"{sandbox.base_url}/common/oauth2/v2.0/authorize",
        params={"client_id": "nobody", "redirect_uri": REDIRECT},
        timeout=10,
    )
    assert (reply.status_code, "AADSTS700016" in reply.text) == (400, True)
    with pytest.raises(ValueError, match="authority"):
        application(sandbox.base_url, tenant="nowhere")


def test_a_grant_without_a_browser_fits_an_msal_cache(sandbox, ada):
    given = sandbox.microsoft_grant(ada)
    info = given["token"]["client_info"]
    decoded = json.loads(base64.urlsafe_b64decode(info + "=="))
    assert decoded["uid"] == given["id_token_claims"]["oid"]
    app = application(sandbox.base_url)
    answer = app.acquire_token_by_refresh_token(given["refresh_token"], ["Mail.Read"])
    assert answer["id_token_claims"]["oid"] == decoded["uid"]
    narrow = sandbox.microsoft_grant(ada, ["User.Read"])
    graph = Graph(sandbox.base_url, narrow["access_token"])
    assert graph.refusal("GET", "/me/messages") == (403, "ErrorAccessDenied")


def test_faults_strike_the_token_endpoint(sandbox, app, ada):
    match = {"api": "microsoft_identity", "method": "token"}
    sandbox.fault("status", match=match, params={"code": 503, "retry_after": 7})
    with pytest.raises(Exception, match="503"):
        signed_in(app, ada)
    usage = {row["method"] for row in sandbox.usage() if row["api"] == "microsoft_identity"}
    assert {"authorize", "token", "configuration"} >= usage >= {"authorize", "token"}
