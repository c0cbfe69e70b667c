"""MSAL and a plain HTTP client against the sandbox, as an application would use them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msal
import requests

from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET

LOGIN = "https://login.microsoftonline.com"
REDIRECT = "http://localhost/connect/microsoft/callback"
SCOPES = ["Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "User.Read"]
IMMUTABLE = 'IdType="ImmutableId"'


class LoginHttp:
    """MSAL's own client, but that Microsoft's host is the sandbox."""

    def __init__(self, base_url: str) -> None:
        self._base_url, self._session = base_url, requests.Session()

    def _mapped(self, url: str) -> str:
        return url.replace(LOGIN, self._base_url, 1)

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._session.get(self._mapped(url), **options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._session.post(self._mapped(url), **options)

    def close(self) -> None:
        self._session.close()


def application(
    base_url: str,
    cache: msal.SerializableTokenCache | None = None,
    *,
    secret: str = MICROSOFT_CLIENT_SECRET,
    tenant: str = "common",
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        MICROSOFT_CLIENT_ID,
        client_credential=secret,
        authority=f"{LOGIN}/{tenant}",
        token_cache=cache,
        http_client=LoginHttp(base_url),
    )


def consent(flow: dict[str, Any], **answer: str) -> dict[str, str]:
    """Open the flow's page, answer at once, and return what the browser is sent back with."""
    reply = requests.get(flow["auth_uri"], params=answer, allow_redirects=False, timeout=10)
    assert reply.status_code == 302, reply.text
    location = reply.headers["location"]
    assert location.startswith(REDIRECT)
    return dict(parse_qsl(urlsplit(location).query))


class Graph:
    """One user's mailbox over HTTP; every request asks for immutable ids, unless told not to."""

    def __init__(self, base_url: str, token: str, prefer: str = IMMUTABLE) -> None:
        self.base_url, self.root = base_url, f"{base_url}/v1.0"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        if prefer:
            self.session.headers["Prefer"] = prefer

    def ask(self, verb: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.root + path
        return self.session.request(verb, url, timeout=10, **options)

    def get(self, path: str, *, prefer: str | None = None, **params: Any) -> dict[str, Any]:
        """GET; names of parameters stand without their dollar."""
        query = {f"${name}": value for name, value in params.items()}
        headers = {} if prefer is None else {"Prefer": prefer}
        reply = self.ask("GET", path, params=query, headers=headers)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        reply = self.ask("POST", path, json=body or {})
        assert reply.status_code in (200, 201, 202), reply.text
        return dict(reply.json()) if reply.content else {}

    def refusal(self, verb: str, path: str, **options: Any) -> tuple[int, str]:
        reply = self.ask(verb, path, **options)
        return reply.status_code, str(reply.json()["error"]["code"])

    def round(self, link: str, size: int = 50) -> tuple[list[dict[str, Any]], str]:
        """Every item of a delta from `link` on, and the link for the next time."""
        items: list[dict[str, Any]] = []
        prefer = f"{IMMUTABLE}, odata.maxpagesize={size}"
        while True:
            page = self.get(link, prefer=prefer)
            items += page["value"]
            if "@odata.deltaLink" in page:
                return items, str(page["@odata.deltaLink"])
            link = page["@odata.nextLink"]

    def batch(self, requests_: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """A batch's answers by id."""
        for request in requests_:
            request.setdefault("headers", {"Prefer": IMMUTABLE})
            if "body" in request:
                request["headers"]["Content-Type"] = "application/json"
        answer = self.post("/$batch", {"requests": requests_})
        return {response["id"]: response for response in answer["responses"]}

    def close(self) -> None:
        self.session.close()
