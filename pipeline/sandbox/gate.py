"""The way of every provider request: find its method, who calls, what goes wrong, what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from pipeline.sandbox import faults as fault_rules
from pipeline.sandbox.calls import ApiError, Call, Method, Reply, error_info
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.grants import Grants
from pipeline.sandbox.microsoft import IDENTITY_API
from pipeline.sandbox.microsoft.errors import token_refused
from pipeline.sandbox.quotas import FULL_SYNC_FIRST_PAGE, Quotas
from pipeline.sandbox.store import User
from pipeline.sandbox.usage import Usage

_SERVICES = {
    "calendar": "calendar-json.googleapis.com",
    "gmail": "gmail.googleapis.com",
    "people": "people.googleapis.com",
    "tasks": "tasks.googleapis.com",
}


@dataclass(frozen=True)
class _Route:
    method: Method
    pattern: re.Pattern[str]
    names: tuple[str, ...]


class Gate:
    """Answers calls to the methods that were added to it."""

    def __init__(self, grants: Grants, quotas: Quotas, faults: Faults, usage: Usage) -> None:
        self._grants, self._quotas, self._faults, self._usage = grants, quotas, faults, usage
        self._routes: dict[str, list[_Route]] = {}

    def add(self, methods: Iterable[Method]) -> None:
        for method in methods:
            names = tuple(re.findall(r"{(\w+)}", method.path))
            pattern = re.compile(re.sub(r"{\w+}", "([^/]+?)", method.path))
            self._routes.setdefault(method.verb, []).append(_Route(method, pattern, names))

    def answer(self, call: Call, *, in_batch: bool = False) -> Reply:
        """Answer a call; never raises ApiError.  Parts of a batch are counted as running by it."""
        method = self._find(call)
        if method is None:
            return ApiError(HTTPStatus.NOT_FOUND, "notFound", "Not Found").reply("gmail")
        user = None
        units = 0
        try:
            user = self._sign_in(call, method)
            call.fault = self._faults.choose(call, method, user.user if user else None)
            fault_rules.before(call, method)
            self._check_scopes(call, method)
            with self._counted(method, user, in_batch):
                units = self._spend(call, method, user)
                with call.store.reading():
                    reply = method.handler(call)
            fault_rules.instead(call)
        except ApiError as error:
            reply = _refused(error, method)
        self._usage.add(method.api, method.name, user.user if user else "", reply.status, units)
        return fault_rules.after(reply, call.fault)

    def _counted(
        self, method: Method, user: User | None, in_batch: bool
    ) -> AbstractContextManager[None]:
        """Count the call as running, unless its batch does."""
        if in_batch or user is None or method.name == "batch":
            return nullcontext()
        return self._quotas.in_flight(method.api, user.user)

    def _find(self, call: Call) -> Method | None:
        for route in self._routes.get(call.verb, ()):
            found = route.pattern.fullmatch(call.path)
            if found is not None:
                values = (unquote(value) for value in found.groups())
                call.path_values = dict(zip(route.names, values, strict=True))
                return route.method
        return None

    def _sign_in(self, call: Call, method: Method) -> User | None:
        if method.open:
            return method.identify(call) if method.identify is not None else None
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = call.text("access_token") or ""
        known = self._grants.check_access_token(token)
        if known is None:
            raise _not_signed_in(method.api)
        call.signed_in, call.scopes = known
        return call.signed_in

    def _check_scopes(self, call: Call, method: Method) -> None:
        if method.scopes and not method.scopes & call.scopes:
            raise _missing_scope(method)

    def _spend(self, call: Call, method: Method, user: User | None) -> int:
        if user is None or method.name == "batch":
            return 0
        first_page = method.name == "people.connections.list" and not (
            call.text("syncToken") or call.text("pageToken")
        )
        extra = FULL_SYNC_FIRST_PAGE if first_page else None
        return self._quotas.take(method.api, method.name, user.user, extra)


def _refused(error: ApiError, method: Method) -> Reply:
    return token_refused(error) if method.api == IDENTITY_API else error.reply(method.api)


def _not_signed_in(api: str) -> ApiError:
    message = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login"
        " cookie or other valid authentication credential. See"
        " https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    if api == "calendar":
        message = "Invalid Credentials"
    return ApiError(
        *(HTTPStatus.UNAUTHORIZED, "authError", message),
        location=("header", "Authorization"),
        headers=(("www-authenticate", 'Bearer realm="https://accounts.google.com/"'),),
    )


def _missing_scope(method: Method) -> ApiError:
    service = _SERVICES[method.api]
    info = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=service, method=method.name)
    message = "Request had insufficient authentication scopes."
    reason = "insufficientPermissions"
    return ApiError(HTTPStatus.FORBIDDEN, reason, message, details=(info,))
