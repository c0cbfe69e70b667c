"""Google's OAuth web flow: the consent page's address, the code for tokens, revocation.

https://developers.google.com/identity/protocols/oauth2/web-server

Authlib rather than google-auth-oauthlib: that one refuses addresses without TLS, such
as the sandbox's, and scopes other than were asked for, unless the environment of the
whole process says otherwise (requests-oauthlib #387); and it logs tokens.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from pipeline.clients.consents import Consent
from pipeline.clients.grants import Grant
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Permanent, Transient

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

_ISSUERS = frozenset(("https://accounts.google.com", "accounts.google.com"))
#: Google's clock and ours may differ by so much.
_CLOCK_SKEW_SECONDS = 60
#: What the token endpoint says when our client is at fault, not the user.
_OURS = frozenset(
    (
        "invalid_client",
        "unauthorized_client",
        "deleted_client",
        "disabled_client",
        "redirect_uri_mismatch",
        "org_internal",
        "unsupported_grant_type",
    )
)
_PASSING = frozenset(("server_error", "temporarily_unavailable", "internal_failure"))


def require_client() -> None:
    """Raise Misconfigured that names the settings which the web flow needs and lacks."""
    needed = {
        "GOOGLE_CLIENT_ID": settings().google_client_id,
        "GOOGLE_CLIENT_SECRET": settings().google_client_secret.get_secret_value(),
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise Misconfigured(f"{' and '.join(missing)} must be set, so that users can connect")


def begin(asked: Consent) -> tuple[str, Consent]:
    """Return the address of Google's consent page, and `asked`.  Raises Misconfigured."""
    return consent_url(asked), asked


def consent_url(asked: Consent) -> str:
    """Return the address of Google's consent page for `asked`.  Raises Misconfigured."""
    optional = {"login_hint": asked.login_hint, "prompt": asked.prompt}
    with _session(asked.redirect_uri) as session:
        url, _ = session.create_authorization_url(
            f"{settings().google_accounts_base_url}/o/oauth2/v2/auth",
            state=asked.state,
            code_verifier=asked.verifier,
            nonce=asked.nonce,
            scope=" ".join(asked.scopes),
            access_type="offline",  # with a refresh token
            include_granted_scopes="true",
            **{name: value for name, value in optional.items() if value},
        )
    return str(url)


def exchange(code: str, asked: Consent) -> Grant:
    """Return what was granted, for the code that came back from the consent page.

    Raises Permanent for a code that is used, old or not ours, Misconfigured,
    Transient.
    """
    from authlib.integrations.base_client import OAuthError

    with _session(asked.redirect_uri) as session:
        try:
            token = session.fetch_token(
                f"{settings().google_oauth_base_url}/token",
                code=code,
                code_verifier=asked.verifier,
                allow_redirects=False,  # the client's secret goes to no other host
            )
        except OAuthError as error:
            raise _refusal(str(error.error)) from None
        except (requests.RequestException, ValueError, TypeError) as error:
            raise _silent("the token endpoint", error) from None
    return _grant(token, asked)


def revoke(token: str) -> bool:
    """Take back the whole grant that a refresh token belongs to; False if it is gone already.

    Raises Transient.
    https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
    """
    try:
        answer = requests.post(
            f"{settings().google_oauth_base_url}/revoke",
            data={"token": token},
            timeout=settings().provider_timeout_seconds,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise _silent("the revocation endpoint", error) from None
    if answer.status_code == requests.codes.ok:
        return True
    if answer.status_code == requests.codes.bad_request and _error_of(answer) == "invalid_token":
        return False
    raise Transient(f"the revocation endpoint answered {answer.status_code}")


def _session(redirect_uri: str) -> OAuth2Session:
    require_client()
    try:
        from authlib.integrations.requests_client import OAuth2Session
    except ImportError:
        raise Misconfigured("connecting accounts needs `pip install headrace[web]`") from None
    return OAuth2Session(
        client_id=settings().google_client_id,
        client_secret=settings().google_client_secret.get_secret_value(),
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method's name
        code_challenge_method="S256",
        redirect_uri=redirect_uri,
        default_timeout=settings().provider_timeout_seconds,
    )


def _grant(token: Mapping[str, Any], asked: Consent) -> Grant:
    try:
        access_token, expires_at = str(token["access_token"]), float(token["expires_at"])
        claims = id_token_claims(str(token["id_token"]))
    except (KeyError, TypeError, ValueError):
        raise Transient("the token endpoint gave no usable answer") from None
    if not hmac.compare_digest(str(claims.get("nonce", "")), asked.nonce):
        raise Permanent("the ID token belongs to another request")
    secrets = {
        "client_id": settings().google_client_id,
        "client_secret": settings().google_client_secret.get_secret_value(),
        "token": access_token,
        "expiry": datetime.fromtimestamp(expires_at, UTC).isoformat(),
    }
    if token.get("refresh_token"):
        secrets["refresh_token"] = str(token["refresh_token"])
    verified = claims.get("email_verified") is True
    return Grant(
        account_id=str(claims["sub"]),
        email=str(claims.get("email", "")).lower() if verified else "",
        secrets=secrets,
        scopes=tuple(str(token.get("scope") or " ".join(asked.scopes)).split()),
    )


def id_token_claims(id_token: str) -> Mapping[str, Any]:
    """Return the claims of an ID token, once signature, audience, issuer and time are right.

    Raises Permanent, or Transient if Google's certificates cannot be had.
    https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    """
    certificates = _certificates()
    try:
        claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
            id_token,
            certs=certificates,
            audience=settings().google_client_id,
            clock_skew_in_seconds=_CLOCK_SKEW_SECONDS,
        )
    except (GoogleAuthError, ValueError) as error:
        # Its text repeats claims.
        raise Permanent(f"the ID token does not verify ({type(error).__name__})") from None
    if claims.get("iss") not in _ISSUERS or not claims.get("sub"):
        raise Permanent("the ID token is not Google's")
    return claims


def _certificates() -> Mapping[str, str]:
    """Return Google's certificates by key id, asked for each time: people seldom connect."""
    try:
        answer = requests.get(
            settings().google_certs_url, timeout=settings().provider_timeout_seconds
        )
        answer.raise_for_status()
        certificates = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise _silent("the address of Google's certificates", error) from None
    if not isinstance(certificates, dict):
        raise Transient("the address of Google's certificates gave no usable answer")
    return certificates


def _refusal(code: str) -> HeadraceError:
    if code in _OURS:
        return Misconfigured(
            f"Google refuses our client ({code}): check GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET"
            " and the redirect addresses of the client"
        )
    if code in _PASSING:
        return Transient(f"the token endpoint answered {code}")
    # Google's own text may hold anything; of its codes only those that are known are repeated.
    return Permanent("Google refuses the code: it was used before, is too old, or is not ours")


def _silent(what: str, error: Exception) -> Transient:
    return Transient(f"{what} gave no usable answer ({type(error).__name__})")


def _error_of(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""
