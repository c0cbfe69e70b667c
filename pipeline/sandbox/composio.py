"""Composio's proxy: calls with Composio's own key, forwarded to the APIs by connected account.

Tokens are redacted, as they are at Composio since June 2026:
https://docs.composio.dev/docs/changelog
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pipeline.sandbox.calls import ApiError, Call, Method, Reply, dump_json
from pipeline.sandbox.fields import BadField, Fields
from pipeline.sandbox.grants import READ_SCOPES, Grants
from pipeline.sandbox.store import Store, User

API_KEY = "sandbox-composio-key"
REDACTED = "REDACTED"
TOOLKIT = "googlesuper"
_ACCOUNT_PREFIX = "ca_"
_TOKEN_SECONDS = 300
_SINCE = "2026-01-01T00:00:00.000Z"
_PROXY_FIELDS = frozenset(
    (
        *("endpoint", "method", "body", "binary_body", "parameters"),
        *("connected_account_id", "custom_connection_data"),
    )
)


class Composio:
    """The endpoints over one store; `answer` serves the forwarded call."""

    def __init__(self, store: Store, grants: Grants, answer: Callable[[Call], Reply]) -> None:
        self._store, self._grants, self._answer = store, grants, answer

    def methods(self) -> list[Method]:
        accounts = "/api/v3.1/connected_accounts"
        table = (
            ("proxy", "POST", "/api/v3.1/tools/execute/proxy", self._proxy),
            ("connected_accounts.list", "GET", accounts, self._list),
            ("connected_accounts.get", "GET", accounts + "/{id}", self._get),
        )
        return [
            Method("composio", name, verb, path, frozenset(), handler, open=True)
            for name, verb, path, handler in table
        ]

    def _proxy(self, call: Call) -> Reply:
        """Errors of the API behind it are told by the `status` in the answer, not by our own."""
        _check_key(call)
        try:
            given = Fields(call.json_body(), _PROXY_FIELDS)
            user = self._user_of(given.text("connected_account_id"))
            inner = self._forwarded(call, user, given)
        except BadField as error:
            raise ApiError(400, "invalid_request", str(error)) from None
        reply = self._answer(inner)
        if reply.cut_at_bytes is not None:
            raise ApiError(502, "upstream_error", "The provider closed the connection")
        data: Any = reply.body.decode("utf-8", "replace")
        if reply.content_type.startswith("application/json") and reply.body:
            with suppress(ValueError):  # a broken answer is passed on as the text that it is
                data = json.loads(reply.body)
        headers = {"content-type": reply.content_type} | dict(reply.headers)
        answer = {"status": reply.status, "data": data, "headers": headers}
        return replace(Reply.of(answer), delay_seconds=reply.delay_seconds)

    def _forwarded(self, call: Call, user: User, given: Fields) -> Call:
        target = urlsplit(given.text("endpoint"))
        ours = urlsplit(call.base_url).netloc
        if target.netloc and target.netloc != ours and not _is_google(target.hostname or ""):
            raise BadField("endpoint: is not in the domain of the connected app")
        query = parse_qsl(target.query, keep_blank_values=True)
        headers: dict[str, str] = {}
        for index, parameter in enumerate(given.raw("parameters") or ()):
            field = Fields(parameter, ("name", "value", "type"), f"parameters[{index}].")
            if field.choice("type", ("header", "query")) == "query":
                query.append((field.text("name"), str(field.raw("value"))))
            else:
                headers[field.text("name").lower()] = str(field.raw("value"))
        token = self._grants.new_access_token(user, "composio", READ_SCOPES, _TOKEN_SECONDS)
        body = given.raw("body")
        return replace(
            call,
            verb=given.choice("method", ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")),
            path=target.path if target.path.startswith("/") else f"/{target.path}",
            query=query,
            headers=headers | {"authorization": f"Bearer {token}"},
            body=b"" if body is None else dump_json(body).encode(),
            path_values={},
            fault=None,
        )

    def _user_of(self, account_id: str) -> User:
        name = account_id.removeprefix(_ACCOUNT_PREFIX)
        user = self._store.find_user(name) if account_id.startswith(_ACCOUNT_PREFIX) else None
        if user is None:
            raise ApiError(404, "not_found", f"Connected account {account_id} was not found")
        if not self._grants.consents(user):
            raise ApiError(400, "connected_account_expired", "Connected account is not active")
        return user

    def _list(self, call: Call) -> Reply:
        _check_key(call)
        users = self._store.users()
        filters: dict[str, Callable[[User], str]] = {
            "user_ids": lambda user: user.user,
            "connected_account_ids": lambda user: f"{_ACCOUNT_PREFIX}{user.user}",
            "statuses": self._status,
            "toolkit_slugs": lambda _: TOOLKIT,
        }
        for name, value_of in filters.items():
            wanted = _listed(call, name)
            if wanted:
                users = [user for user in users if value_of(user) in wanted]
        start = int(call.text("cursor") or 0)
        limit = int(float(call.text("limit") or 20))
        following = start + limit
        return Reply.of(
            {
                "items": [self._described(user) for user in users[start:following]],
                "next_cursor": str(following) if following < len(users) else None,
                "current_page": start // limit + 1,
                "total_pages": -(-len(users) // limit),
                "total_items": len(users),
            }
        )

    def _get(self, call: Call) -> Reply:
        _check_key(call)
        account_id = call.path_values["id"]
        user = self._store.find_user(account_id.removeprefix(_ACCOUNT_PREFIX))
        if user is None or not account_id.startswith(_ACCOUNT_PREFIX):
            raise ApiError(404, "not_found", f"Connected account {account_id} was not found")
        return Reply.of(self._described(user) | {"params": {}})

    def _status(self, user: User) -> str:
        return "ACTIVE" if self._grants.consents(user) else "EXPIRED"

    def _described(self, user: User) -> dict[str, Any]:
        status = self._status(user)
        value = {
            "status": status,
            "access_token": REDACTED,
            "refresh_token": REDACTED,
            "token_type": "Bearer",
            "scope": " ".join(READ_SCOPES),
            "expires_in": _TOKEN_SECONDS,
        }
        return {
            "id": f"{_ACCOUNT_PREFIX}{user.user}",
            "user_id": user.user,
            "status": status,
            "is_disabled": False,
            "toolkit": {"slug": TOOLKIT},
            "auth_config": {
                "id": "ac_sandbox",
                "auth_scheme": "OAUTH2",
                "is_composio_managed": False,
                "is_disabled": False,
            },
            "state": {"authScheme": "OAUTH2", "val": value},
            "data": {"access_token": REDACTED, "refresh_token": REDACTED},
            "created_at": _SINCE,
            "updated_at": _SINCE,
        }


def _check_key(call: Call) -> None:
    if call.headers.get("x-api-key") != API_KEY:
        raise ApiError(401, "invalid_api_key", "Invalid API key")


def _is_google(host: str) -> bool:
    return host == "googleapis.com" or host.endswith(".googleapis.com")


def _listed(call: Call, name: str) -> set[str]:
    """A list parameter: repeated, with brackets, or with commas."""
    values = [*call.many(name), *call.many(f"{name}[]")]
    return {part for value in values for part in value.split(",")}
