"""One request to a provider that sends messages, made so that it is known whether it arrived.

Nothing is tried twice here: who sends decides that, by the ledger.  What goes wrong before the
connection stands is NotTaken; from then on the provider may have acted, so a missing answer is
Unanswered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from pipeline import metrics
from pipeline.clients.retry_after import seconds_of_header
from pipeline.clients.sending_errors import NotTaken, Unanswered
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, RateLimited
from pipeline.stores import per_process

#: Connections that are kept open; more threads than that open others for the moment.
_POOL_SIZE = 32
#: What to wait where the provider does not say, and at most.
_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request to `provider`; `method` is what may be said of it in logs and metrics."""

    provider: str
    method: str
    verb: str
    url: str
    auth: AuthBase = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.provider}: {self.method}"


def ask(request: Request) -> requests.Response:
    """Return the provider's answer, whatever its status.

    Raises NotTaken if no connection could be made, Unanswered if there was no whole answer.
    """
    code = 0
    try:
        with metrics.PROVIDER_SECONDS.labels(request.provider, request.method).time():
            answer = _session().request(
                request.verb,
                request.url,
                params=request.params,
                data=request.form,
                json=request.json,
                auth=request.auth,
                timeout=settings().provider_timeout_seconds,
                allow_redirects=False,  # the key goes to no other host, and nothing is sent twice
            )
        code = answer.status_code
    except (requests.RequestException, HTTPError) as error:
        raise _unheard(request, error) from None
    finally:
        metrics.PROVIDER_CALLS.labels(request.provider, request.method, str(code)).inc()
    return answer


def refused_in_general(request: Request, answer: requests.Response) -> HeadraceError | None:
    """Return what an error status means that says nothing of this one message; None for others."""
    status = answer.status_code
    text = f"{request} was answered {status}"
    if status == requests.codes.too_many_requests:
        return RateLimited(text, retry_after_seconds=wait_seconds(answer))
    if status == requests.codes.service_unavailable:
        return NotTaken(text)
    if status >= 500 or status == requests.codes.request_timeout:
        return Unanswered(text)
    if 300 <= status < 400:
        return Misconfigured(f"{text}, a redirect: the setting of its address is wrong")
    return None


def json_of(answer: requests.Response) -> Any:
    """Return the JSON of an answer; None if it is none, such as a proxy's page."""
    try:
        return answer.json()
    except ValueError:
        return None


def object_of(request: Request, answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a good answer.  Raises Unanswered if it is none."""
    found = json_of(answer)
    if not isinstance(found, dict):
        raise Unanswered(f"{request}: the answer is not a JSON object")
    return found


def wait_seconds(answer: requests.Response, *, usual: float = _WAIT_SECONDS) -> float:
    """Return how long the provider wants to be left alone.

    Retry-After, or the moment at which SendGrid begins to count anew:
    https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
    """
    asked = seconds_of_header(answer.headers.get("Retry-After", ""))
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if not asked and reset.isdigit():
        asked = float(reset) - time.time()
    return min(max(asked or usual, 1.0), _LONGEST_WAIT_SECONDS)


def _unheard(request: Request, error: Exception) -> HeadraceError:
    # A ValueError is a request that could not even be written.
    before = (requests.exceptions.ProxyError, ValueError, _NeverConnected)
    reason = _reason(error)
    # The texts of these errors hold addresses and parameters.
    text = f"{request}: no usable answer ({getattr(reason, 'cause', type(reason).__name__)})"
    is_unsent = isinstance(error, before) or isinstance(reason, before)
    return NotTaken(text) if is_unsent else Unanswered(text)


def _reason(error: Exception) -> Exception:
    """Return what is behind an error of `requests`."""
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return reason if isinstance(reason, Exception) else error


class _NeverConnected(NewConnectionError):
    """There is no connection: of name, address, time, TLS or proxy."""

    def __init__(self, connection: HTTPConnection, cause: str) -> None:
        super().__init__(connection, cause)
        self.cause = cause


class _Connection(HTTPConnection):
    """Tells what goes wrong while it connects from what goes wrong later; TLS is a part of it."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            raise _NeverConnected(self, type(error).__name__) from error


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """Tries nothing again, and uses the connections above; through a proxy as well."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=_POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


@per_process
def _session() -> requests.Session:
    session = requests.Session()
    session.cookies = RequestsCookieJar(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
