"""Calendar's channels: events.watch, calendarList.watch, channels.stop.

https://developers.google.com/workspace/calendar/api/guides/push and, for the words of refusals,
https://developers.google.com/workspace/calendar/api/v3/reference/events/watch together with
https://cloud.google.com/storage/docs/json_api/v1/status-codes (the same channels elsewhere).
For a wrong type, id or token Google documents no words; those are ours.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pipeline.sandbox.calendar import EVENT_SCOPES, LIST_SCOPES
from pipeline.sandbox.calendar_events import find_calendar
from pipeline.sandbox.calls import ApiError, Call, Method, Reply
from pipeline.sandbox.push.addresses import Verdict, judge
from pipeline.sandbox.push.topics import PROJECT_NUMBER
from pipeline.sandbox.push.watches import CALENDAR_API, LONGEST_MS, Watch

_ROOT = "https://www.googleapis.com/calendar/v3"
_CHANNEL_ID = re.compile(r"[A-Za-z0-9\-_+/=]{1,64}")
_LONGEST_TOKEN = 256
#: Calendars that Google makes itself (holidays, birthdays) or imports have no push.
_WITHOUT_PUSH = ("@group.v.calendar.google.com", "@import.calendar.google.com")


@dataclass(frozen=True)
class _Wanted:
    """A channel as the client asks for it, checked."""

    channel_id: str
    address: str
    token: str | None
    expires_ms: int


def watch_events(call: Call) -> Reply:
    """https://developers.google.com/workspace/calendar/api/v3/reference/events/watch"""
    asked = call.path_values["calendarId"]
    calendar_id = find_calendar(call, asked).entry["id"]
    if calendar_id.endswith(_WITHOUT_PUSH):
        message = "Push notifications are not supported by this resource."
        raise _refused("pushNotSupportedForRequestedResource", message, "calendar")
    uri = f"{_ROOT}/calendars/{quote(asked, safe='@')}/events?alt=json"
    return _begin(call, f"events/{calendar_id}", uri)


def watch_list(call: Call) -> Reply:
    """https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/watch"""
    return _begin(call, "calendars", f"{_ROOT}/users/me/calendarList?alt=json")


def stop_channel(call: Call) -> Reply:
    """Only whoever made a channel can stop it, naming its id and what it watches:
    https://developers.google.com/workspace/calendar/api/v3/reference/channels/stop"""
    body = call.json_body()
    channel_id = body.get("id")
    with call.store.database.transaction():
        watch = call.store.outbox.watches.channel(str(channel_id))
        if watch is None or not _is_to_stop(call, watch, body):
            message = f"Channel '{channel_id}' not found for project '{PROJECT_NUMBER}'"
            raise ApiError(HTTPStatus.NOT_FOUND, "notFound", message)
        call.store.outbox.watches.end(watch)
    return Reply(b"", HTTPStatus.NO_CONTENT)


def _is_to_stop(call: Call, watch: Watch, body: dict[str, Any]) -> bool:
    same = watch.details["resource_id"] == body.get("resourceId")
    return same and watch.user_n == call.user.n and not watch.ended


def _begin(call: Call, stream: str, uri: str) -> Reply:
    wanted = _wanted(call)
    details = {
        "address": wanted.address,
        "token": wanted.token,
        "resource_id": _resource_id(call, stream),
        "resource_uri": uri,
    }
    outbox = call.store.outbox
    with call.store.database.transaction():
        if outbox.watches.channel(wanted.channel_id) is not None:
            message = f"Channel id {wanted.channel_id} not unique"
            raise _refused("channelIdNotUnique", message)
        name, expires_ms = wanted.channel_id, wanted.expires_ms
        watch = outbox.watches.add(CALENDAR_API, call.user.n, stream, name, expires_ms, details)
        outbox.begin(watch)
    return Reply.of(_described(watch))


def _described(watch: Watch) -> dict[str, Any]:
    shown = {
        "kind": "api#channel",
        "id": watch.name,
        "resourceId": watch.details["resource_id"],
        "resourceUri": watch.details["resource_uri"],
        "expiration": str(watch.expires_ms),
    }
    token = watch.details["token"]
    return shown if token is None else shown | {"token": token}


def _resource_id(call: Call, stream: str) -> str:
    """Opaque, and the same for every channel of one user's resource."""
    digest = hashlib.sha256(f"{call.user.n} {stream}".encode()).digest()
    return urlsafe_b64encode(digest[:20]).decode().rstrip("=")


# What is asked for


def _wanted(call: Call) -> _Wanted:
    body = call.json_body()
    channel_id, kind = _text(body, "id"), _text(body, "type")
    if not channel_id:
        raise _refused("required", "Required: channel.id")
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise _refused("channelIdInvalid", f"Invalid channel id {channel_id[:80]}")
    if kind not in ("web_hook", "webhook"):
        raise _refused("push.channelTypeNotSupported", f"Channel type {kind!r} is not supported")
    token = body.get("token")
    if token is not None and not _is_token(token):
        text = f"Invalid channel token: needs at most {_LONGEST_TOKEN} printable characters"
        raise _refused("channelTokenInvalid", text)
    return _Wanted(channel_id, _address(body), token, _expires_ms(call, body))


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise _refused("parseError", f"Invalid value at 'channel.{name}'")
    return value


def _is_token(token: Any) -> bool:
    """It travels as a header's value."""
    fits = isinstance(token, str) and len(token) <= _LONGEST_TOKEN
    return fits and token.isascii() and token.isprintable()


def _address(body: dict[str, Any]) -> str:
    address = _text(body, "address")
    verdict = judge(address)
    if verdict is Verdict.NO_HOST:
        message = f"WebHook callback must have a host: {address}"
        raise _refused("push.webhookUrlNoHostOrAddress", message)
    if verdict is Verdict.NOT_HTTPS:
        raise _refused("push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")
    return address


def _expires_ms(call: Call, body: dict[str, Any]) -> int:
    """The earliest of what was asked for and seven days."""
    now_ms = call.store.clock.now_ms()
    asked = [LONGEST_MS]
    params = body.get("params") or {}
    if "ttl" in params:
        asked.append(1000 * _whole(params["ttl"]))
    if body.get("expiration") is not None:
        asked.append(_whole(body["expiration"]) - now_ms)
    shortest = min(asked)
    if shortest <= 0:
        raise _refused("pushInvalidTtl", f"Invalid ttl value for channel {shortest // 1000}")
    return now_ms + shortest


def _whole(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise _refused("pushInvalidTtl", f"Invalid ttl value for channel {value!r}") from None


def _refused(reason: str, message: str, domain: str = "global") -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, reason, message, domain=domain)


_EVENTS = "/calendar/v3/calendars/{calendarId}/events/watch"
_LIST = "/calendar/v3/users/me/calendarList/watch"
_STOP = "/calendar/v3/channels/stop"

METHODS = (
    Method(CALENDAR_API, "events.watch", "POST", _EVENTS, EVENT_SCOPES, watch_events),
    Method(CALENDAR_API, "calendarList.watch", "POST", _LIST, LIST_SCOPES, watch_list),
    Method(
        *(CALENDAR_API, "channels.stop", "POST", _STOP, EVENT_SCOPES | LIST_SCOPES, stop_channel)
    ),
)
