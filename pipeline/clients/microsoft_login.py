"""MSAL, and the way its requests take to Microsoft's sign-in.

MSAL insists on an https address and on hosts that it knows, so it is always told the
real one, and MICROSOFT_LOGIN_BASE_URL takes its place on the wire: a proxy, the sandbox.
https://learn.microsoft.com/entra/msal/python/
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from pipeline.clients.microsoft_errors import token_refusal
from pipeline.clients.retry_after import seconds_of_header
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Permanent, Transient

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication, SerializableTokenCache

#: What is asked of MSAL, in its own words.
Question = Callable[["ConfidentialClientApplication"], dict[str, Any] | None]

_AUTHORITY_HOST = "https://login.microsoftonline.com"
#: Where the endpoints are seldom changes; MSAL itself keeps it for a day.
_DISCOVERY_SECONDS = 86_400.0
_discovered: dict[str, tuple[float, requests.Response]] = {}

# It logs answers of the token endpoint whole when they are damaged, and its events at DEBUG.
logging.getLogger("msal").setLevel(logging.CRITICAL)


def require_client() -> None:
    """Raise Misconfigured that names the settings which sign-in needs and lacks."""
    needed = {
        "MICROSOFT_CLIENT_ID": settings().microsoft_client_id,
        "MICROSOFT_CLIENT_SECRET": settings().microsoft_client_secret.get_secret_value(),
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise Misconfigured(f"{' and '.join(missing)} must be set, so that users can connect")


def ask(what: str, cache: SerializableTokenCache, question: Question) -> dict[str, Any]:
    """Have MSAL get tokens into `cache` by `question`, and return its answer.

    `what` is asked for, in words.  Raises ReauthRequired, Misconfigured, RateLimited,
    Transient.  Whatever is in `cache` afterwards is to be kept: refresh tokens roll.
    """
    with _LoginHttp() as http:
        answer = _answer(what, cache, question, http)
        if answer is None:
            raise token_refusal(what, {"error": "invalid_grant"}, 0)
        if "access_token" not in answer:
            raise token_refusal(what, answer, http.status, http.wait_seconds)
    return answer


def prepare(what: str, question: Question) -> dict[str, Any]:
    """Have MSAL say by `question` what it needs no tokens for; raises as `ask` does."""
    from msal import SerializableTokenCache

    with _LoginHttp() as http:
        return _answer(what, SerializableTokenCache(), question, http) or {}


def _answer(
    what: str, cache: SerializableTokenCache, question: Question, http: _LoginHttp
) -> dict[str, Any] | None:
    from msal.exceptions import MsalError

    require_client()
    try:
        # A new one each time: one that is kept remembers refusals for a minute.
        return question(_application(cache, http))
    except (requests.RequestException, MsalError) as error:
        raise http.failure(what, error) from None
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        # Whatever was damaged, or did not belong together, such as state and nonce.
        raise http.failure(what, error) from None


def browser_url(url: str) -> str:
    """Return an address of the consent page as the user's browser is to open it.

    The answer comes back as a query: a form that another site posts would come without
    the cookie that proves that it is the same browser.
    """
    url = url.replace("response_mode=form_post", "response_mode=query")
    return _mapped(url)


class _LoginHttp:
    """What MSAL sends its requests by; remembers how the last one ended."""

    def __init__(self) -> None:
        self.verb = ""
        self.status = 0
        self.wait_seconds = 0.0
        self._session = requests.Session()

    def get(self, url: str, **options: Any) -> requests.Response:
        """Answer from memory where MSAL asks for the endpoints."""
        url = _mapped(url)
        known = _discovered.get(url)
        if known and known[0] > time.monotonic():
            return known[1]
        answer = self._send("GET", url, options)
        if answer.ok:
            _discovered[url] = (time.monotonic() + _DISCOVERY_SECONDS, answer)
        return answer

    def post(self, url: str, **options: Any) -> requests.Response:
        """Send what MSAL asks of the token endpoint."""
        return self._send("POST", _mapped(url), options)

    def failure(self, what: str, error: Exception) -> HeadraceError:
        """Return what it means that MSAL has raised: its text may hold anything."""
        if self.verb == "GET" and self.status in (400, 404):
            return Misconfigured("MICROSOFT_TENANT or MICROSOFT_LOGIN_BASE_URL is wrong")
        if self.verb == "POST" and self.status == 200 and isinstance(error, RuntimeError):
            return Permanent("the ID token belongs to another request")
        if self.status == 429 or self.status >= 500:
            return token_refusal(what, {}, self.status, self.wait_seconds)
        return Transient(f"{what}: no usable answer ({type(error).__name__})")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> _LoginHttp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, verb: str, url: str, options: dict[str, Any]) -> requests.Response:
        self.verb, self.status = verb, 0
        answer = self._session.request(
            verb,
            url,
            timeout=settings().provider_timeout_seconds,
            allow_redirects=False,  # the client's secret goes to no other host
            **options,
        )
        self.status = answer.status_code
        self.wait_seconds = seconds_of_header(answer.headers.get("Retry-After", ""))
        return answer


def _application(cache: SerializableTokenCache, http: _LoginHttp) -> ConfidentialClientApplication:
    from msal import ConfidentialClientApplication

    now = settings()
    return ConfidentialClientApplication(
        now.microsoft_client_id,
        client_credential=now.microsoft_client_secret.get_secret_value(),
        authority=f"{_AUTHORITY_HOST}/{now.microsoft_tenant}",
        token_cache=cache,
        http_client=http,
        instance_discovery=False,  # the host is known
    )


def _mapped(url: str) -> str:
    if url.startswith(f"{_AUTHORITY_HOST}/"):
        return settings().microsoft_login_base_url + url.removeprefix(_AUTHORITY_HOST)
    return url
