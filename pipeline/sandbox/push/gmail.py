"""Gmail's watch of a mailbox: users.watch, users.stop.

https://developers.google.com/workspace/gmail/api/guides/push
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Method, Reply, invalid
from pipeline.sandbox.gmail import READ_SCOPES, own
from pipeline.sandbox.gmail_labels import known_labels
from pipeline.sandbox.push.topics import PROJECT_ID, Topics, is_ours
from pipeline.sandbox.push.watches import GMAIL_API, LONGEST_MS

_STREAM = "messages"
_BEHAVIORS = ("include", "exclude")


def watch_mailbox(call: Call) -> Reply:
    """Begin to push, or renew; either way one notification is sent at once.

    https://developers.google.com/workspace/gmail/api/reference/rest/v1/users/watch
    """
    body = call.json_body()
    topic = _topic(call, body)
    details = {"label_ids": _labels(call, body), "behavior": _behavior(body), "address": None}
    outbox, history_id = call.store.outbox, call.store.rev(call.user)
    expires_ms = call.store.clock.now_ms() + LONGEST_MS
    with call.store.database.transaction():
        active = outbox.watches.of_mailbox(call.user.n)
        if active is not None:
            if active.name != topic:
                raise _already_watched()
            outbox.watches.forget(active)
        watch = outbox.watches.add(GMAIL_API, call.user.n, _STREAM, topic, expires_ms, details)
        outbox.begin(watch, history_id)
    return Reply.of({"historyId": str(history_id), "expiration": str(expires_ms)})


def stop_mailbox(call: Call) -> Reply:
    """Stopping what is not watched is no error."""
    with call.store.database.transaction():
        active = call.store.outbox.watches.of_mailbox(call.user.n)
        if active is not None:
            call.store.outbox.watches.forget(active)
    return Reply(b"", HTTPStatus.NO_CONTENT)


def _topic(call: Call, body: dict[str, Any]) -> str:
    """Gmail sends a test message, so the topic must be there."""
    name = body.get("topicName")
    if not isinstance(name, str) or not is_ours(name):
        raise invalid(f"Invalid topicName does not match projects/{PROJECT_ID}/topics/*")
    if Topics(call.store.database).find(name) is None:
        short = name.rpartition("/")[2]
        message = f"Resource not found (resource={short})."
        text = f"Error sending test message to Cloud PubSub {name} : {message}"
        raise ApiError(HTTPStatus.NOT_FOUND, "notFound", text)
    return name


def _labels(call: Call, body: dict[str, Any]) -> list[str]:
    labels = body.get("labelIds") or []
    if not isinstance(labels, list):
        raise invalid("Invalid value at 'labelIds'")
    known = known_labels(call) if labels else []
    for label in labels:
        if label not in known:
            raise invalid(f"Invalid label: {label}")
    return labels


def _behavior(body: dict[str, Any]) -> str:
    """`labelFilterAction` is the deprecated name; the newer one wins."""
    behavior = body.get("labelFilterBehavior") or body.get("labelFilterAction") or "include"
    if str(behavior).lower() not in _BEHAVIORS:
        raise invalid(f"Invalid value at 'label_filter_behavior': {behavior!r}")
    return str(behavior).lower()


def _already_watched() -> ApiError:
    message = "Only one user push notification client allowed per developer"
    return invalid(f"{message} (call /stop then try again)")


_USER = "/gmail/v1/users/{userId}"

METHODS = (
    Method(*(GMAIL_API, "users.watch", "POST", _USER + "/watch", READ_SCOPES, own(watch_mailbox))),
    Method(*(GMAIL_API, "users.stop", "POST", _USER + "/stop", READ_SCOPES, own(stop_mailbox))),
)
