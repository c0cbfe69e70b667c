"""Google through Composio: it holds the grant, and we never see a token.

Since 2026 Composio hands out no tokens any more, only a call that it makes for us:
https://docs.composio.dev/docs/extending-sessions/proxy-execute
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import httplib2

from pipeline.clients.credentials import read_secrets
from pipeline.config import settings
from pipeline.errors import (
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.stores import Row

if TYPE_CHECKING:
    from composio_client import APIStatusError, Composio

_RATE_WAIT_SECONDS = 30.0
#: These say nothing about a proxied answer, which arrives decoded and whole.
_TRANSPORT_HEADERS = frozenset(("content-encoding", "content-length", "transfer-encoding"))


class ComposioTransport:
    """The accounts of one connection at Composio, one per toolkit."""

    #: The proxy takes one request at a time.
    takes_batches = False

    def __init__(self, connection: Row) -> None:
        """Raises ReauthRequired if the account ids cannot be read."""
        self.connection = connection
        accounts: dict[str, str] = read_secrets(connection)["account_ids"]
        self._https = {toolkit: ComposioHttp(account) for toolkit, account in accounts.items()}

    def http_for(self, toolkit: str) -> ComposioHttp:
        """Return what sends the requests of `toolkit`.  Raises ReauthRequired if it has none."""
        if toolkit not in self._https:
            raise ReauthRequired(f"the connection has no Composio account for {toolkit}")
        return self._https[toolkit]

    def close(self) -> None:
        """Do nothing: the connections belong to the process."""


class ComposioHttp:
    """Stands in for httplib2.Http; every request goes through Composio's proxy.

    The provider's own refusals come back as answers; Composio's are raised.
    """

    def __init__(self, account_id: str) -> None:
        """Use the connected account `account_id` (`ca_…`)."""
        self._account_id = account_id

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        **_ignored: object,
    ) -> tuple[httplib2.Response, bytes]:
        """Return response and content, as httplib2 does.

        Raises Misconfigured, ReauthRequired, RateLimited, Transient or Permanent.
        """
        if (headers or {}).get("x-http-method-override") == "GET":
            # The client library's way to send a long query; Composio takes JSON bodies only.
            uri, method, body = f"{uri}?{body}", "GET", None
        client = _client()
        from composio_client import APIConnectionError, APIStatusError

        call: dict[str, Any] = {"body": json.loads(body)} if body else {}
        try:
            answer = client.tools.proxy(
                endpoint=uri,
                method=method,  # type: ignore[arg-type]
                connected_account_id=self._account_id,
                timeout=settings().provider_timeout_seconds,
                **call,
            )
        except APIStatusError as error:
            raise _meaning(error) from None
        except APIConnectionError as error:
            raise Transient(f"Composio does not answer ({type(error).__name__})") from None
        # The package hands on whatever came, also a page of text.
        status = getattr(answer, "status", None)
        if not isinstance(status, int | float):
            raise Transient("Composio gave no usable answer")
        return _response(int(status), answer.headers or {}), _content(answer.data)


def _client() -> Composio:
    """Return the client of this process.

    Raises Misconfigured if the package or the key is missing.
    """
    api_key = settings().composio_api_key.get_secret_value()
    if not api_key:
        raise Misconfigured("COMPOSIO_API_KEY is empty; connections made through Composio need it")
    return _open_client(os.getpid(), api_key, settings().composio_base_url)


@cache
def _open_client(_pid: int, api_key: str, base_url: str) -> Composio:
    try:
        from composio_client import Composio
    except ImportError:
        raise Misconfigured(
            "connections made through Composio need `pip install headrace[composio]`"
        ) from None
    # Our own error classes decide what is tried again.
    return Composio(api_key=api_key, base_url=base_url, max_retries=0)


def _meaning(error: APIStatusError) -> HeadraceError:
    """Return what it means that Composio itself refused."""
    text = f"Composio answered {error.status_code}"
    if error.status_code in (401, 403):
        return Misconfigured(f"{text}: COMPOSIO_API_KEY is wrong or lacks `Proxy execute`")
    if error.status_code in (404, 410) or _names_the_account(error.body):
        return ReauthRequired(f"{text}: the connected account is unknown or has expired")
    if error.status_code == 429:
        header = error.response.headers.get("retry-after", "")
        wait_seconds = float(header) if header.isdigit() else _RATE_WAIT_SECONDS
        return RateLimited(text, retry_after_seconds=max(1.0, wait_seconds))
    return Transient(text) if error.status_code >= 500 else Permanent(text)


def _names_the_account(body: object) -> bool:
    """Whether a refusal is about the account, such as `ConnectedAccountExpired` with 400."""
    refusal = body.get("error") if isinstance(body, dict) else None
    if not isinstance(refusal, dict):
        return False
    words = f"{refusal.get('slug')} {refusal.get('message')}"
    return "connectedaccount" in words.lower().replace(" ", "")


def _response(status: int, headers: Mapping[str, str]) -> httplib2.Response:
    kept = {n.lower(): v for n, v in headers.items() if n.lower() not in _TRANSPORT_HEADERS}
    response = httplib2.Response({**kept, "status": str(status)})
    response.reason = ""
    return response


def _content(data: object) -> bytes:
    if data is None:
        return b""
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()
