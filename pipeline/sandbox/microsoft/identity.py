"""Microsoft's identity platform: discovery, consent, tokens.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pipeline.sandbox import consent
from pipeline.sandbox.calls import Call, Handler, Method, Reply
from pipeline.sandbox.microsoft import (
    IDENTITY_API,
    MICROSOFT_CLIENT_ID,
    MICROSOFT_CLIENT_SECRET,
    TENANT_ID,
)
from pipeline.sandbox.microsoft.discovery import LOGIN, TENANTS, discover, instance
from pipeline.sandbox.microsoft.errors import TokenRefused
from pipeline.sandbox.microsoft.ids import object_id
from pipeline.sandbox.microsoft.people import display_name
from pipeline.sandbox.microsoft.sign_in import consent_page, sent_back
from pipeline.sandbox.microsoft.tokens import (
    GRAPH,
    KNOWN_SCOPES,
    GraphCode,
    GraphTokens,
    Refusal,
    known_scopes,
)
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.signing import Signer
from pipeline.sandbox.store import Store, User

_REFUSALS = {
    Refusal.WITHDRAWN: (
        *("invalid_grant", 65001),
        "The user or administrator has not consented to use the application.",
        "consent_required",
    ),
    Refusal.PASSWORD: (
        *("invalid_grant", 50173),
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
        "bad_token",
    ),
    Refusal.INACTIVE: (
        *("invalid_grant", 700082),
        "The refresh token has expired due to inactivity.",
        "bad_token",
    ),
    Refusal.PROOF: (
        *("interaction_required", 50076),
        "Due to a configuration change made by your administrator, or because you moved to a"
        " new location, you must use multi-factor authentication.",
        "basic_action",
    ),
}


class Identity:
    """The endpoints over one store; `settings` gives the current settings."""

    def __init__(self, store: Store, tokens: GraphTokens) -> None:
        self._store, self._tokens = store, tokens
        self._signer = Signer(store)
        self.settings = Settings()

    def methods(self) -> list[Method]:
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("configuration", "GET", "/{tenant}/v2.0/.well-known/openid-configuration", discover),
            ("instance", "GET", "/{tenant}/discovery/instance", instance),
            ("keys", "GET", "/{tenant}/discovery/v2.0/keys", self._keys),
            ("authorize", "GET", "/{tenant}/oauth2/v2.0/authorize", self._authorize),
            ("token", "POST", "/{tenant}/oauth2/v2.0/token", self._token),
        )
        return [
            Method(
                *(IDENTITY_API, name, verb, path, frozenset(), handler, self._token_user),
                open=True,
            )
            for name, verb, path, handler in table
        ]

    def _keys(self, _: Call) -> Reply:
        return Reply.of(self._signer.json_web_keys())

    # Consent

    def _authorize(self, call: Call) -> Reply:
        problem = _authorize_problem(call)
        if problem is not None:
            content = f"<p>{html.escape(problem)}</p>"
            return consent.page("Sign in", content, HTTPStatus.BAD_REQUEST)
        hint = call.text("login_hint")
        user = self._store.find_user(hint) if hint else None
        answer = call.text("consent")
        unsure = "select_account" in _prompts(call) and answer is None
        asked = known_scopes(call.text("scope") or "")
        if "none" in _prompts(call) and not self._has_allowed(user, asked):
            text = "AADSTS65001: The user has to sign in, and to consent."
            return sent_back(call, {"error": "interaction_required", "error_description": text})
        if user is None or (unsure and call.text("account") != "chosen"):
            return consent.account_page(call, self._accounts())
        if answer == "denied":
            text = "AADSTS65004: User declined to consent to access the app."
            return sent_back(call, {"error": "access_denied", "error_description": text})
        new = "consent" in _prompts(call) or not self._has_allowed(user, asked)
        if answer is None and new:
            return consent_page(call, user, asked)
        return self._grant(call, user, asked)

    def _has_allowed(self, user: User | None, scopes: frozenset[str]) -> bool:
        return user is not None and scopes <= self._tokens.consented(user)

    def _accounts(self) -> list[User]:
        """Those with a mailbox, if there are any."""
        users = self._store.users()
        return [user for user in users if self._store.mail.has_mailbox(user)] or users

    def _grant(self, call: Call, user: User, scopes: frozenset[str]) -> Reply:
        self._tokens.consent(user, scopes)
        redirect_uri = call.text("redirect_uri") or ""
        challenge, nonce = call.text("code_challenge"), call.text("nonce")
        code = self._tokens.new_code(GraphCode(user, scopes, redirect_uri, challenge, nonce))
        answer = {"code": code, "session_state": hashlib.md5(code.encode()).hexdigest()}  # noqa: S324 - a name
        if call.text("client_info"):
            answer["client_info"] = _client_info(user)
        return sent_back(call, answer)

    # Tokens

    def _token_user(self, call: Call) -> User | None:
        found = self._tokens.check(_form(call).get("refresh_token", ""), "refresh")
        return None if found is None else found[0]

    def _token(self, call: Call) -> Reply:
        form = _form(call)
        _check_client(form)
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            return self._exchange_code(form)
        if kind == "refresh_token":
            return self._refresh(form)
        text = f"The app requested an unsupported grant type '{kind}'."
        raise TokenRefused("unsupported_grant_type", 70003, text)

    def _exchange_code(self, form: dict[str, str]) -> Reply:
        code = self._tokens.take_code(form.get("code", ""))
        if code is None:
            raise TokenRefused("invalid_grant", 70008, "The provided authorization code expired.")
        if form.get("redirect_uri", "") != code.redirect_uri:
            text = "The reply address does not match the one of the authorization request."
            raise TokenRefused("invalid_grant", 500112, text)
        _check_verifier(code.challenge, form.get("code_verifier", ""))
        return self._issue(code.user, code.scopes, form, code.nonce)

    def _refresh(self, form: dict[str, str]) -> Reply:
        found = self._tokens.check(form.get("refresh_token", ""), "refresh")
        if found is None:
            text = "Provided grant is invalid or malformed."
            raise TokenRefused("invalid_grant", 70000, text, "bad_token")
        user, scopes = found
        refusal = self._tokens.refusal(user)
        if refusal is not None:
            raise TokenRefused(*_REFUSALS[refusal])
        asked = known_scopes(form.get("scope", "")) or scopes
        if not asked <= self._tokens.consented(user):
            raise TokenRefused(*_REFUSALS[Refusal.WITHDRAWN])
        return self._issue(user, scopes | asked, form, None)

    def granted(self, user: User, scopes: frozenset[str]) -> dict[str, Any]:
        """Consent and tokens in one, without a browser: the token endpoint's answer."""
        self._tokens.consent(user, scopes)
        reply = self._issue(user, scopes | {"offline_access"}, {"client_info": "1"}, None)
        return dict(json.loads(reply.body))

    def _issue(
        self, user: User, scopes: frozenset[str], form: dict[str, str], nonce: str | None
    ) -> Reply:
        seconds = self.settings.access_token_seconds
        answer: dict[str, str | int] = {
            "token_type": "Bearer",
            "scope": " ".join(_shown_scopes(scopes, form.get("scope", ""))),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": self._tokens.new_access_token(user, scopes, seconds),
        }
        if "offline_access" in scopes:
            answer["refresh_token"] = self._tokens.new_refresh_token(user, scopes)
        if "openid" in scopes:
            answer["id_token"] = self._id_token(user, seconds, nonce)
        if form.get("client_info"):
            answer["client_info"] = _client_info(user)
        return Reply.of(answer)

    def _id_token(self, user: User, seconds: int, nonce: str | None) -> str:
        # By the real clock: whoever verifies it has that one, not the sandbox's.
        now = int(time.time())
        claims = id_claims(user) | {"iat": now, "nbf": now, "exp": now + seconds}
        return self._signer.sign(claims if nonce is None else claims | {"nonce": nonce})


def id_claims(user: User) -> dict[str, str | int]:
    """What an ID token says of an account, whenever it is made."""
    return {
        "aud": MICROSOFT_CLIENT_ID,
        "iss": f"{LOGIN}/{TENANT_ID}/v2.0",
        "sub": hashlib.sha256(f"{MICROSOFT_CLIENT_ID} {user.n}".encode()).hexdigest()[:43],
        "oid": object_id(user.n, user.email),
        "tid": TENANT_ID,
        "name": display_name(user),
        "preferred_username": user.email,
        "email": user.email,
        "ver": "2.0",
    }


def _authorize_problem(call: Call) -> str | None:
    if call.path_values["tenant"] not in TENANTS:
        return "AADSTS90002: Tenant not found."
    if call.text("client_id") != MICROSOFT_CLIENT_ID:
        return "AADSTS700016: Application was not found in the directory."
    if not urlsplit(call.text("redirect_uri") or "").scheme:
        return "AADSTS50011: The redirect URI does not match those of the application."
    if call.text("response_type") != "code":
        return "AADSTS70005: response_type is not supported for the application."
    unknown = known_scopes(call.text("scope") or "") - set(KNOWN_SCOPES.values())
    if unknown or not call.text("scope"):
        return f"AADSTS70011: The provided value for scope is not valid: {sorted(unknown)}"
    if call.text("code_challenge") and call.text("code_challenge_method") != "S256":
        return "AADSTS501491: code_challenge_method must be S256."
    return None


def _shown_scopes(scopes: frozenset[str], asked: str) -> list[str]:
    """Scopes come back as they were asked for: by name, or by address."""
    by_address = GRAPH in asked
    return [
        f"{GRAPH}{scope}" if by_address and "." in scope else scope
        for scope in sorted(scopes - {"offline_access"})
    ]


def _client_info(user: User) -> str:
    info = {"uid": object_id(user.n, user.email), "utid": TENANT_ID}
    return _base64url(json.dumps(info).encode())


def _prompts(call: Call) -> list[str]:
    return (call.text("prompt") or "").split()


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace")))


def _check_client(form: dict[str, str]) -> None:
    if form.get("client_id") != MICROSOFT_CLIENT_ID:
        text = "Application was not found in the directory."
        raise TokenRefused("unauthorized_client", 700016, text)
    secret = form.get("client_secret", "").encode()
    if not hmac.compare_digest(secret, MICROSOFT_CLIENT_SECRET.encode()):
        raise TokenRefused("invalid_client", 7000215, "Invalid client secret provided.")


def _check_verifier(challenge: str | None, verifier: str) -> None:
    """PKCE, S256 (https://www.rfc-editor.org/rfc/rfc7636#section-4.6)."""
    if challenge is None:
        return
    if _base64url(hashlib.sha256(verifier.encode()).digest()) != challenge:
        text = "The Code_Verifier does not match the code_challenge."
        raise TokenRefused("invalid_grant", 501481, text)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
