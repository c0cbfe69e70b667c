"""Microsoft's sign-in by MSAL: the consent page's address, and the code for a grant.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.clients import microsoft_login
from pipeline.clients.consents import Consent
from pipeline.clients.grants import Grant
from pipeline.clients.microsoft_account import account_facts
from pipeline.clients.microsoft_credentials import refresh_fields, secrets_of
from pipeline.clients.microsoft_scopes import IDENTITY_SCOPE, RESERVED, scopes_of_source
from pipeline.errors import Permanent, ReauthRequired

if TYPE_CHECKING:
    from msal import SerializableTokenCache


def begin(asked: Consent) -> tuple[str, Consent]:
    """Return the address of Microsoft's consent page, and `asked` with MSAL's proofs.

    Raises Misconfigured, or Transient if Microsoft does not say where its page is.
    """

    def question(application: Any) -> dict[str, Any]:
        flow: dict[str, Any] = application.initiate_auth_code_flow(
            list(asked.scopes),
            redirect_uri=asked.redirect_uri,
            state=asked.state,
            prompt=asked.prompt or None,
            login_hint=asked.login_hint or None,
            response_mode="form_post",  # without it MSAL warns each time; see browser_url
        )
        return flow

    flow = microsoft_login.prepare("the sign-in", question)
    url = microsoft_login.browser_url(flow.pop("auth_uri"))
    return url, replace(asked, kept=flow)


def exchange(code: str, asked: Consent) -> Grant:
    """Return what was granted, for the code that came back from the consent page.

    Raises Permanent for a code that is used, old or not ours, and for an account that
    has no mailbox; Misconfigured, RateLimited, Transient.
    """
    response = {"code": code, "state": asked.state}

    def question(application: Any) -> dict[str, Any]:
        answer: dict[str, Any] = application.acquire_token_by_auth_code_flow(
            dict(asked.kept), response
        )
        return answer

    try:
        return _grant("the code", question, asked.scopes)
    except ReauthRequired:
        # Microsoft's word for a code, too, is a grant.
        raise Permanent(
            "Microsoft refuses the code: it was used before, is too old, or is not ours"
        ) from None


def grant_of(refresh_token: str, granted: Iterable[str] = ()) -> Grant:
    """Return the grant that a refresh token stands for, with tokens of our own.

    `granted` are its scopes; without any, those that mail is asked for with.  Raises
    ReauthRequired if it serves no more, and what `exchange` raises.
    """
    known = [scope for scope in granted if scope not in RESERVED]
    scopes = known or [IDENTITY_SCOPE, *scopes_of_source("microsoft_mail")]

    def question(application: Any) -> dict[str, Any]:
        answer: dict[str, Any] = application.acquire_token_by_refresh_token(refresh_token, scopes)
        return answer

    return _grant("the refresh token", question, scopes)


def _grant(
    what: str, question: Callable[[Any], dict[str, Any]], asked: tuple[str, ...] | list[str]
) -> Grant:
    from msal import SerializableTokenCache

    cache = SerializableTokenCache()
    answer = microsoft_login.ask(what, cache, question)
    claims, account_id = answer.get("id_token_claims"), _account_id(cache)
    if not isinstance(claims, Mapping) or not account_id:
        raise Permanent("Microsoft did not say whose account it is")
    if not _lasts(cache):
        raise ReauthRequired("Microsoft gave no lasting access")
    facts = account_facts(str(answer["access_token"]), account_id)
    return Grant(
        provider="microsoft",
        account_id=account_id,
        email=facts.email or _address(claims),
        secrets=secrets_of(cache),
        scopes=tuple(str(answer.get("scope") or " ".join(asked)).split()),
        fields=refresh_fields(answer),
        display_name=facts.display_name or str(claims.get("name", "")),
        directory_id=str(claims.get("tid", "")),
        time_zone=facts.time_zone,
    )


def _account_id(cache: SerializableTokenCache) -> str:
    """Return MSAL's id of the account: that of the person, and that of the directory."""
    accounts = cache.search(cache.CredentialType.ACCOUNT)
    return next((str(account["home_account_id"]) for account in accounts), "")


def _lasts(cache: SerializableTokenCache) -> bool:
    return any(True for _ in cache.search(cache.CredentialType.REFRESH_TOKEN))


def _address(claims: Mapping[str, Any]) -> str:
    """Return the name that the person signs in with, if it is an address."""
    name = str(claims.get("preferred_username", "")).strip().lower()
    return name if "@" in name else ""
