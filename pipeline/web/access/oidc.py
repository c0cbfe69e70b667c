"""Sign-in by OpenID Connect: authorization code, PKCE, nonce and state.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth

Authlib makes the requests and checks the ID token.  What has to be remembered
while the visitor is away at the issuer is in a signed cookie of theirs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from requests import RequestException

from models.admin_user import ROLES
from pipeline.config import Settings, settings
from pipeline.errors import Misconfigured, Permanent, Transient
from pipeline.web.access import accounts, signing
from pipeline.web.access.asking import asking_mongodb
from pipeline.web.access.principal import Role, as_role

# It writes code verifiers at DEBUG.
logging.getLogger("authlib").setLevel(logging.INFO)

CALLBACK = "/admin/sign-in/oidc/callback"
#: How long a visitor may take at the issuer.
AWAY_SECONDS = 600
_PURPOSE = "oidc"
#: Signatures that need the issuer's private key: a secret that we share with it, or none
#: at all, would let others make tokens.
_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_LEEWAY_SECONDS = 60
_METADATA_SECONDS = 3600.0


class NoRole(Permanent):
    """The issuer knows this person; Headrace has no role for them."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the visitor is sent, and what their cookie remembers meanwhile."""

    url: str
    cookie: str


class _Issuer(OAuth2Mixin, OpenIDMixin, BaseApp):
    """Authlib's client, over requests."""

    client_cls = OAuth2Session


def depart(redirect_uri: str, next_page: str) -> Departure:
    """Begin a sign-in.  Raises Transient if the issuer does not answer, Misconfigured."""
    try:
        begun = _issuer().create_authorization_url(redirect_uri)
    except (RequestException, ValueError) as error:
        raise _silent(error) from None
    kept = {name: begun[name] for name in ("state", "nonce", "code_verifier")}
    return Departure(
        begun["url"], signing.sign(_PURPOSE, kept | {"to": redirect_uri, "next": next_page})
    )


def remembered(cookie: str) -> dict[str, str]:
    """Return what the cookie of a departure remembers.  Raises Permanent if there is none."""
    kept = signing.signed(_PURPOSE, cookie, max_age_seconds=AWAY_SECONDS)
    if not kept:
        raise Permanent("this sign-in took too long or began in another browser; begin anew")
    return cast(dict[str, str], kept)


def arrive(query: Mapping[str, str], kept: Mapping[str, str]) -> accounts.Account:
    """Finish a sign-in with what the issuer sent along.

    Raises NoRole, accounts.Disabled, Permanent if the answer is not one to this
    sign-in, Transient if the issuer or MongoDB does not answer.
    """
    if query.get("state") != kept["state"]:
        raise Permanent("the answer belongs to another sign-in; begin anew")
    # https://www.rfc-editor.org/rfc/rfc9207#section-2.4
    if query.get("iss", settings().oidc_issuer).rstrip("/") != settings().oidc_issuer:
        raise Permanent("the answer comes from another issuer")
    if "error" in query:
        raise Permanent("the issuer did not sign you in")
    claims = _claims(query.get("code", ""), kept)
    role = role_of(claims, settings())
    if role is None:
        raise NoRole("your account there gives you no role in Headrace; ask whoever runs it")
    wished = str(claims.get("preferred_username") or claims.get("nickname") or "")
    with asking_mongodb():
        return accounts.arrived(f"{settings().oidc_issuer} {claims['sub']}", wished, role)


def role_of(claims: Mapping[str, Any], settings: Settings) -> Role | None:
    """Return the highest role that a person's claims give.

    OIDC_ROLE_CLAIM may be a path with dots, as in Keycloak's "realm_access.roles".
    """
    found: Any = claims.get(settings.oidc_role_claim)
    if found is None:
        found = claims
        for name in settings.oidc_role_claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    roles = {role for group, role in roles_by_group(settings).items() if group in groups}
    return max(roles, key=ROLES.index, default=None)


def roles_by_group(settings: Settings) -> dict[str, Role]:
    """Return OIDC_ROLES as a mapping; empty, groups are called as roles are.

    Raises Misconfigured if it cannot be read.
    """
    entries = [entry for entry in settings.oidc_roles.split(",") if entry.strip()]
    roles: dict[str, Role] = {}
    for entry in entries:
        group, _, role = (part.strip() for part in entry.rpartition("="))
        try:
            roles[group] = as_role(role)
        except ValueError as error:
            raise Misconfigured(
                f"OIDC_ROLES: {entry.strip()!r} is not group=role: {error}"
            ) from None
        if not group:
            raise Misconfigured(f"OIDC_ROLES: {entry.strip()!r} names no group")
    return roles or {role: as_role(role) for role in ROLES}


def check_oidc(settings: Settings) -> None:
    """Raise Misconfigured if sign-in by OpenID Connect is set up by halves."""
    roles_by_group(settings)
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise Misconfigured("OIDC_ISSUER is set, but OIDC_CLIENT_ID is empty")
    if settings.oidc_issuer and not settings.public_base_url:
        raise Misconfigured(
            f"OIDC_ISSUER is set, but PUBLIC_BASE_URL is empty; register PUBLIC_BASE_URL{CALLBACK}"
            " as the redirect address of the client"
        )


def _claims(code: str, kept: Mapping[str, str]) -> dict[str, Any]:
    """Exchange the code and return the claims of a valid ID token."""
    try:
        issuer = _issuer()
        token = issuer.fetch_access_token(
            redirect_uri=kept["to"], code=code, code_verifier=kept["code_verifier"]
        )
        options = {  # left to itself, Authlib does not look at the audience
            "iss": {"essential": True, "value": issuer.server_metadata["issuer"]},
            "aud": {"essential": True, "value": issuer.client_id},
        }
        claims = issuer.parse_id_token(token, kept["nonce"], options, leeway=_LEEWAY_SECONDS)
    except (AuthlibBaseError, JoseError) as error:
        raise Permanent(f"the issuer's answer is not valid ({type(error).__name__})") from None
    except (RequestException, ValueError) as error:
        raise _silent(error) from None
    if not claims:
        raise Permanent("the issuer's answer has no ID token")
    return dict(claims)


def _issuer() -> _Issuer:
    """Return the client of the issuer; what that says of itself is read each hour."""
    return _client(settings(), int(time.time() // _METADATA_SECONDS))


@lru_cache(maxsize=1)
def _client(settings: Settings, _period: int) -> _Issuer:
    client = _Issuer(
        framework=None,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
        client_kwargs={
            "code_challenge_method": "S256",
            "default_timeout": settings.provider_timeout_seconds,
        },
    )
    metadata = client.load_server_metadata()
    if str(metadata.get("issuer", "")).rstrip("/") != settings.oidc_issuer:
        raise Misconfigured("OIDC_ISSUER: the issuer there calls itself by another address")
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = sorted(_ALGORITHMS & set(offered))
    # Some issuers tell groups only to who asks for a scope of that name.
    extra = {settings.oidc_role_claim} & set(metadata.get("scopes_supported") or ())
    client.client_kwargs["scope"] = " ".join(["openid", "profile", *extra])
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if client.client_secret and "client_secret_basic" not in methods:
        client.client_kwargs["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105
    return client


def _silent(error: Exception) -> Transient:
    # Its text may hold the code or the address of the request.
    return Transient(f"the OpenID Connect issuer does not answer ({type(error).__name__})")
