"""Subscriptions to a mailbox: make, read, renew, end.

https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply
from pipeline.sandbox.clock import parse_rfc3339_ms, rfc3339
from pipeline.sandbox.microsoft import GRAPH_API, MICROSOFT_CLIENT_ID
from pipeline.sandbox.microsoft.announcing import (
    ALL_MAIL,
    CREATED,
    DELETED,
    UPDATED,
    live_subscriptions,
)
from pipeline.sandbox.microsoft.errors import bad_request, graph_error
from pipeline.sandbox.microsoft.ids import object_id
from pipeline.sandbox.microsoft.notices import answers_validation
from pipeline.sandbox.microsoft.odata import prefers_immutable
from pipeline.sandbox.microsoft.scopes import READ_MAIL
from pipeline.sandbox.push.addresses import Verdict, judge
from pipeline.sandbox.push.watches import Watch

_SCOPES = READ_MAIL | {"Mail.ReadBasic"}
_CHANGE_TYPES = (CREATED, UPDATED, DELETED)
_LONGEST_CLIENT_STATE = 128
_SHORTEST_MINUTES = 45
_MOST_OF_A_MAILBOX = 1000
_RESOURCE = re.compile(r"/?(?:me|users/(?P<owner>[^/]+))/(?P<rest>.+)", re.IGNORECASE)
_FOLDER = re.compile(r"mailfolders(?:/|\(')(?P<folder>[^/')]+)(?:'\))?/messages", re.IGNORECASE)


@dataclass(frozen=True)
class _Wanted:
    """A subscription as the client asks for it, checked."""

    stream: str
    expires_ms: int
    details: dict[str, Any]


def create(call: Call) -> Reply:
    """Ask the receiver first, without keeping others waiting, then begin."""
    with call.store.reading():
        wanted = _wanted(call)
        _check_new(call, wanted)
    for name in ("address", "lifecycle_address"):
        address = wanted.details[name]
        if address is not None:
            _validate(address)
    with call.store.database.transaction():
        _check_new(call, wanted)
        name = str(uuid.uuid4())
        watch = call.store.outbox.watches.add(
            *(GRAPH_API, call.user.n, wanted.stream, name, wanted.expires_ms, wanted.details)
        )
    return Reply.of(_shown(call, watch), HTTPStatus.CREATED)


def _validate(address: str) -> None:
    token = (
        "Validation: Testing client application reachability for subscription Request-Id:"
        f" {uuid.uuid4()}"
    )
    if not answers_validation(address, token):
        message = (
            "Subscription validation request failed. Notification endpoint must respond with"
            " 200 OK to validation request."
        )
        raise graph_error(HTTPStatus.BAD_REQUEST, "ValidationError", message)


def _check_new(call: Call, wanted: _Wanted) -> None:
    active = live_subscriptions(call.store, call.user.n)
    if len(active) >= _MOST_OF_A_MAILBOX:
        message = "The mailbox has reached its limit of subscriptions."
        raise graph_error(HTTPStatus.FORBIDDEN, "SubscriptionLimitExceeded", message)
    for watch in active:
        same = watch.details["change_types"] == wanted.details["change_types"]
        if same and watch.stream == wanted.stream:
            message = "A subscription for this resource and these changes exists already."
            raise graph_error(HTTPStatus.CONFLICT, "Conflict", message)


def list_all(call: Call) -> Reply:
    found = live_subscriptions(call.store, call.user.n)
    return Reply.of({"value": [_shown(call, watch) for watch in found]})


def get(call: Call) -> Reply:
    return Reply.of(_shown(call, _found(call)))


def renew(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/subscription-update"""
    watch = _found(call)
    expires_ms = _expires_ms(call, call.json_body())
    call.store.outbox.watches.extend(watch, expires_ms)
    return Reply.of(_shown(call, _found(call)))


def reauthorize(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/subscription-reauthorize"""
    _found(call)
    return Reply(b"", HTTPStatus.NO_CONTENT)


def delete(call: Call) -> Reply:
    call.store.outbox.watches.forget(_found(call))
    return Reply(b"", HTTPStatus.NO_CONTENT)


def _found(call: Call) -> Watch:
    wanted = call.path_values["subscription"]
    for watch in live_subscriptions(call.store, call.user.n):
        if watch.name == wanted:
            return watch
    raise graph_error(HTTPStatus.NOT_FOUND, "ResourceNotFound", "The object was not found.")


def _shown(call: Call, watch: Watch) -> dict[str, Any]:
    details = watch.details
    return {
        "id": watch.name,
        "resource": details["resource"],
        "applicationId": MICROSOFT_CLIENT_ID,
        "changeType": ",".join(details["change_types"]),
        "clientState": details["client_state"],
        "notificationUrl": details["address"],
        "lifecycleNotificationUrl": details["lifecycle_address"],
        "expirationDateTime": rfc3339(watch.expires_ms),
        "creatorId": object_id(call.user.n, call.user.email),
        "includeResourceData": False,
        "latestSupportedTlsVersion": "v1_2",
    }


# What is asked for


def _wanted(call: Call) -> _Wanted:
    body = call.json_body()
    resource = _text(body, "resource")
    details = {
        "resource": resource,
        "change_types": _change_types(_text(body, "changeType")),
        "address": _address(body, "notificationUrl"),
        "lifecycle_address": (
            _address(body, "lifecycleNotificationUrl")
            if body.get("lifecycleNotificationUrl")
            else None
        ),
        "client_state": _client_state(body),
        "immutable": prefers_immutable(call),
        "object_id": object_id(call.user.n, call.user.email),
    }
    return _Wanted(_stream(call, resource), _expires_ms(call, body), details)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(f"{name[0].upper()}{name[1:]} is required.")
    return value


def _change_types(text: str) -> list[str]:
    names = sorted({name.strip().lower() for name in text.split(",")})
    if not set(names) <= set(_CHANGE_TYPES):
        raise _refused(f"The changeType '{text}' is not supported.")
    return names


def _client_state(body: dict[str, Any]) -> str | None:
    state = body.get("clientState")
    if state is None:
        return None
    if not isinstance(state, str) or len(state) > _LONGEST_CLIENT_STATE:
        raise _refused(f"ClientState must not exceed {_LONGEST_CLIENT_STATE} characters.")
    return state


def _address(body: dict[str, Any], name: str) -> str:
    address = _text(body, name)
    if judge(address) is not Verdict.GOOD:
        raise _refused(f"The {name} must be a valid https URL.")
    return address


def _stream(call: Call, resource: str) -> str:
    found = _RESOURCE.fullmatch(resource)
    owner = found["owner"] if found else None
    own = (None, call.user.email.lower(), object_id(call.user.n, call.user.email))
    if found is None or (owner.lower() if owner else None) not in own:
        raise _refused(f"The resource '{resource}' is not supported.")
    if found["rest"].lower() == ALL_MAIL:
        return ALL_MAIL
    folder = _FOLDER.fullmatch(found["rest"])
    if folder is None:
        raise _refused(f"The resource '{resource}' is not supported.")
    return f"{ALL_MAIL}/{call.store.mail.folder(call.user, folder['folder']).id}"


def _expires_ms(call: Call, body: dict[str, Any]) -> int:
    """Too late is refused; too soon is put off to 45 minutes from now."""
    try:
        asked_ms = parse_rfc3339_ms(_text(body, "expirationDateTime"))
    except ValueError:
        raise _refused("ExpirationDateTime is not a valid date.") from None
    now_ms = call.store.clock.now_ms()
    minutes = call.store.outbox.settings.microsoft_subscription_minutes
    if asked_ms <= now_ms:
        raise _refused("Subscription expiration must be in the future.")
    if asked_ms > now_ms + minutes * 60_000:
        raise _refused(f"Subscription expiration can only be {minutes} minutes in the future.")
    return max(asked_ms, now_ms + _SHORTEST_MINUTES * 60_000)


def _refused(message: str) -> ApiError:
    return bad_request(message, "InvalidRequest")


def _method(name: str, verb: str, path: str, handler: Handler) -> Method:
    return Method(
        *(GRAPH_API, f"subscriptions.{name}", verb, f"/subscriptions{path}", _SCOPES, handler),
        unlocked=name == "create",
    )


METHODS = (
    _method("list", "GET", "", list_all),
    _method("create", "POST", "", create),
    _method("get", "GET", "/{subscription}", get),
    _method("update", "PATCH", "/{subscription}", renew),
    _method("delete", "DELETE", "/{subscription}", delete),
    _method("reauthorize", "POST", "/{subscription}/reauthorize", reauthorize),
)
