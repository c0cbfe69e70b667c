"""The way of every Graph request: find its method, who calls, what goes wrong, what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote

from pipeline.sandbox import faults as fault_rules
from pipeline.sandbox.calls import ApiError, Call, Method, Reply
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import (
    bad_request,
    graph_error,
    item_not_found,
    refused,
    request_headers,
)
from pipeline.sandbox.microsoft.ids import object_id
from pipeline.sandbox.microsoft.odata import applied_preferences
from pipeline.sandbox.microsoft.store import NoMailbox, NotInMailbox
from pipeline.sandbox.microsoft.throttle import Throttle, over_concurrency
from pipeline.sandbox.microsoft.tokens import GraphTokens
from pipeline.sandbox.quotas import Quotas
from pipeline.sandbox.store import User
from pipeline.sandbox.usage import Usage

ROOT = "/v1.0"
BATCH = "batch"
_KEY = re.compile(r"\('([^']*)'\)")


class GraphGate:
    """Answers calls to the methods that were added to it; the first that fits is the one."""

    def __init__(
        self, tokens: GraphTokens, quotas: Quotas, throttle: Throttle, faults: Faults, usage: Usage
    ) -> None:
        self._tokens, self._quotas, self._throttle = tokens, quotas, throttle
        self._faults, self._usage = faults, usage
        self._routes: dict[tuple[str, int], list[tuple[list[str], Method]]] = {}

    def add(self, methods: Iterable[Method]) -> None:
        for method in methods:
            parts = method.path.split("/")
            self._routes.setdefault((method.verb, len(parts)), []).append((parts, method))

    def answer(self, call: Call, *, in_batch: bool = False) -> Reply:
        """Answer a call; never raises ApiError.  Parts of a batch run in its slots."""
        headers = request_headers(call)
        method, user, slots = self._find(call), None, 0
        name = "unknown" if method is None else method.name
        try:
            user = self._sign_in(call)
            if method is None:
                raise bad_request(f"Resource not found for the segment '{call.path[-40:]}'.")
            call.fault = self._faults.choose(call, method, user.user)
            fault_rules.before(call, method)
            _check_scopes(call, method)
            if not in_batch and name != BATCH:
                slots = self._enter(user)
            reply = self._handled(call, method, user)
            fault_rules.instead(call)
        except ApiError as error:
            reply = refused(error, headers)
        except Exception:
            if slots and user is not None:
                self._throttle.leave(user.n, slots)
            raise
        else:
            granted = applied_preferences(call)
            reply = replace(reply, headers=(*reply.headers, *headers, *granted))
        self._usage.add(
            GRAPH_API, name, user.user if user else "", reply.status, int(name != BATCH)
        )
        if slots and user is not None:
            reply = replace(reply, on_sent=partial(self._throttle.leave, user.n, slots))
        return fault_rules.after(reply, call.fault)

    def _handled(self, call: Call, method: Method, user: User) -> Reply:
        if method.name != BATCH:
            self._quotas.take(GRAPH_API, method.name, user.user)
        try:
            with nullcontext() if method.unlocked else call.store.reading():
                return method.handler(call)
        except (NotInMailbox, NoMailbox) as missing:
            if call.store.mail.has_mailbox(user):
                raise _not_found(str(missing.args[0])) from None
            raise _no_mailbox() from None

    def _enter(self, user: User) -> int:
        slots = self._throttle.enter(user.n)
        if not slots:
            raise over_concurrency()
        return slots

    def _find(self, call: Call) -> Method | None:
        """Set the values in the path; names are taken in any case, ids as they are."""
        path = _KEY.sub(r"/\1", unquote(call.path))
        parts = path.removeprefix(ROOT).split("/")
        if parts[1:2] == ["users"] and len(parts) > 2:
            call.path_values = {"owner": parts[2]}
            parts = ["", "me", *parts[3:]]
        for pattern, method in self._routes.get((call.verb, len(parts)), ()):
            pairs = list(zip(pattern, parts, strict=True))
            if all(name[:1] == "{" or name.lower() == part.lower() for name, part in pairs):
                values = {name[1:-1]: part for name, part in pairs if name[:1] == "{"}
                call.path_values |= values
                return method
        return None

    def _sign_in(self, call: Call) -> User:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            message = "Access token is empty."
            raise graph_error(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken", message)
        known = self._tokens.check(token)
        if known is None:
            raise graph_error(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken")
        call.signed_in, call.scopes = known
        owner = call.path_values.get("owner")
        user = call.user
        if owner and owner.lower() not in (user.email.lower(), object_id(user.n, user.email)):
            raise graph_error(HTTPStatus.FORBIDDEN, "ErrorAccessDenied")
        return user


def _check_scopes(call: Call, method: Method) -> None:
    if method.scopes and not method.scopes & call.scopes:
        raise graph_error(HTTPStatus.FORBIDDEN, "ErrorAccessDenied")


def _no_mailbox() -> ApiError:
    message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return graph_error(HTTPStatus.NOT_FOUND, "MailboxNotEnabledForRESTAPI", message)


def _not_found(item_id: str) -> ApiError:
    if len(item_id) < 20 or not re.fullmatch(r"[A-Za-z0-9_\-=]+", item_id):
        return graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidIdMalformed", "Id is malformed.")
    return item_not_found()
