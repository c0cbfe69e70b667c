"""Google's OAuth 2.0 endpoints: consent, token, revocation.

https://developers.google.com/identity/protocols/oauth2/web-server
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

from pipeline.sandbox import consent
from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply
from pipeline.sandbox.grants import (
    CLIENT_ID,
    CLIENT_SECRET,
    KNOWN_SCOPES,
    Code,
    Grants,
    RefreshToken,
    full_scopes,
)
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.signing import ISSUER, Signer
from pipeline.sandbox.store import Store, User

_DEAD_GRANT = "Token has been expired or revoked."


def _refuse(error: str, description: str, status: int = HTTPStatus.BAD_REQUEST) -> ApiError:
    return ApiError(status, error, description)


class OAuth:
    """The endpoints over one store; `settings` gives the current settings."""

    def __init__(self, store: Store, grants: Grants) -> None:
        self._store, self._grants = store, grants
        self._signer = Signer(store)
        self.settings = Settings()

    def methods(self) -> list[Method]:
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("authorize", "GET", "/o/oauth2/v2/auth", self._authorize),
            ("token", "POST", "/token", self._token),
            ("revoke", "POST", "/revoke", self._revoke),
            ("certs", "GET", "/oauth2/v1/certs", self._certs),
        )
        return [
            Method("oauth", name, verb, path, frozenset(), handler, self._token_user, open=True)
            for name, verb, path, handler in table
        ]

    # Consent

    def _authorize(self, call: Call) -> Reply:
        problem = _authorize_problem(call)
        if problem is not None:
            content = f"<p>{html.escape(problem)}</p>"
            return consent.page("Access blocked", content, HTTPStatus.BAD_REQUEST)
        hint = call.text("login_hint")
        user = self._store.find_user(hint) if hint else None
        answer = call.text("consent")
        unsure = "select_account" in _prompts(call) and answer is None
        if user is None or (unsure and call.text("account") != "chosen"):
            return consent.account_page(call, self._store.users())
        asked = full_scopes(call.text("scope") or "")
        has = self._grants.granted_scopes(user)
        if answer is None and (not asked <= has or "consent" in _prompts(call)):
            return consent.consent_page(call, user, asked, has)
        if answer == "chosen":
            scopes = consent.allowed(call, asked, has)
        else:
            scopes = asked - full_scopes(" ".join(call.many("deny_scope")))
        if answer == "denied" or not scopes:
            return _redirect(call, {"error": "access_denied"})
        if call.flag("include_granted_scopes", default=False):
            scopes |= has
        return self._grant(call, user, scopes)

    def _grant(self, call: Call, user: User, scopes: frozenset[str]) -> Reply:
        code = self._grants.new_code(
            Code(
                user,
                scopes,
                call.text("redirect_uri") or "",
                call.text("code_challenge"),
                call.text("nonce"),
                self._wants_refresh_token(call, user),
            )
        )
        return _redirect(call, {"code": code, "scope": " ".join(sorted(scopes))})

    def _wants_refresh_token(self, call: Call, user: User) -> bool:
        """Only the first consent yields one, unless consent is asked for again."""
        if call.text("access_type") != "offline":
            return False
        return "consent" in _prompts(call) or not self._grants.has_grant(user)

    # Tokens

    def _token_user(self, call: Call) -> User | None:
        form = _form(call)
        token = form.get("refresh_token") or form.get("token") or call.text("token") or ""
        found = self._grants.find_refresh_token(token)
        return None if found is None else found.user

    def _token(self, call: Call) -> Reply:
        form = _form(call)
        _check_client(call, form)
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            return self._exchange_code(form)
        if kind == "refresh_token":
            return self._refresh(form)
        raise _refuse("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _exchange_code(self, form: dict[str, str]) -> Reply:
        code = self._grants.take_code(form.get("code", ""))
        if code is None:
            raise _refuse("invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri", "") != code.redirect_uri:
            raise _refuse("redirect_uri_mismatch", "Bad Request")
        _check_verifier(code.challenge, form.get("code_verifier"))
        refresh = self._grants.new_refresh_token(code.user, code.scopes) if code.offline else None
        grant = refresh or RefreshToken("", code.user, "online", code.scopes)
        return self._issue(grant, code.scopes, refresh, code.nonce)

    def _refresh(self, form: dict[str, str]) -> Reply:
        with self._store.database.transaction():
            old = self._grants.find_refresh_token(form.get("refresh_token", ""))
            if old is None:
                raise _refuse("invalid_grant", _DEAD_GRANT)
            scopes = full_scopes(form["scope"]) if form.get("scope") else old.scopes
            if not scopes <= old.scopes:
                raise _refuse("invalid_scope", "Bad Request")
            new: RefreshToken | None = None
            if self._grants.rotates(old.user):
                new = self._grants.new_refresh_token(old.user, old.scopes, old.grant_id)
                self._grants.retire(old, self.settings.rotation_grace_seconds)
            return self._issue(old, scopes, new, None)

    def _issue(
        self,
        grant: RefreshToken,
        scopes: frozenset[str],
        refresh: RefreshToken | None,
        nonce: str | None,
    ) -> Reply:
        seconds = self.settings.access_token_seconds
        token = self._grants.new_access_token(grant.user, grant.grant_id, scopes, seconds)
        answer: dict[str, str | int] = {
            "access_token": token,
            "expires_in": max(1, seconds - 1),
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }
        if refresh is not None:
            answer["refresh_token"] = refresh.token
        if "openid" in scopes:
            answer["id_token"] = self._id_token(grant.user, seconds, nonce)
        return Reply.of(answer)

    def _id_token(self, user: User, seconds: int, nonce: str | None) -> str:
        # By the real clock: whoever verifies it has that one, not the sandbox's.
        now = int(time.time())
        claims: dict[str, str | int | bool] = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "azp": CLIENT_ID,
            "sub": user.subject,
            "email": user.email,
            "email_verified": True,
            "iat": now,
            "exp": now + seconds,
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._signer.sign(claims)

    def _certs(self, _: Call) -> Reply:
        return replace(
            Reply.of(self._signer.certs()), headers=(("cache-control", "public, max-age=3600"),)
        )

    def _revoke(self, call: Call) -> Reply:
        token = _form(call).get("token") or call.text("token") or ""
        if not self._grants.revoke_token(token):
            raise _refuse("invalid_token", "Token expired or revoked")
        return Reply()


def _authorize_problem(call: Call) -> str | None:
    if call.text("client_id") != CLIENT_ID:
        return "Error 401: invalid_client"
    if not urlsplit(call.text("redirect_uri") or "").scheme:
        return "Error 400: redirect_uri_mismatch"
    if call.text("response_type") != "code":
        return "Error 400: unsupported_response_type"
    unknown = full_scopes(call.text("scope") or "") - KNOWN_SCOPES
    if unknown or not call.text("scope"):
        return f"Error 400: invalid_scope {sorted(unknown)}"
    if call.text("code_challenge") and call.text("code_challenge_method") != "S256":
        return "Error 400: invalid_request (code_challenge_method must be S256)"
    return None


def _redirect(call: Call, answer: dict[str, str]) -> Reply:
    target = urlsplit(call.text("redirect_uri") or "")
    state = call.text("state")
    if state is not None:
        answer = {"state": state} | answer
    query = "&".join(part for part in (target.query, urlencode(answer)) if part)
    location = urlunsplit((target.scheme, target.netloc, target.path, query, ""))
    return Reply(b"", HTTPStatus.FOUND, (("location", location),), "text/html; charset=UTF-8")


def _prompts(call: Call) -> list[str]:
    return (call.text("prompt") or "").split()


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace")))


@dataclass(frozen=True)
class _Client:
    client_id: str
    secret: str


def _check_client(call: Call, form: dict[str, str]) -> None:
    client = _Client(form.get("client_id", ""), form.get("client_secret", ""))
    kind, _, packed = call.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            decoded = base64.b64decode(packed).decode()
        except ValueError:
            raise _refuse("invalid_client", "Could not determine client ID.", 401) from None
        name, _, secret = decoded.partition(":")
        client = _Client(unquote_plus(name), unquote_plus(secret))
    if client.client_id != CLIENT_ID:
        raise _refuse("invalid_client", "The OAuth client was not found.", 401)
    if not hmac.compare_digest(client.secret.encode(), CLIENT_SECRET.encode()):
        raise _refuse("invalid_client", "The provided client secret is invalid.", 401)


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """PKCE, S256 (https://www.rfc-editor.org/rfc/rfc7636#section-4.6)."""
    if challenge is None:
        return
    if not verifier:
        raise _refuse("invalid_grant", "Missing code verifier.")
    if _base64url(hashlib.sha256(verifier.encode()).digest()) != challenge:
        raise _refuse("invalid_grant", "Invalid code verifier.")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
