"""What goes over the wire to a receiver.

https://developers.google.com/workspace/calendar/api/guides/push
https://cloud.google.com/pubsub/docs/push#receive_push
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from email.utils import formatdate

import requests

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import rfc3339
from pipeline.sandbox.push.outbox import Notification
from pipeline.sandbox.push.topics import Topic

_CALENDAR_AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
_PUBSUB_AGENT = "CloudPubSub-Google"

#: What both take as "received": every other answer is a failure.
RECEIVED = frozenset((102, 200, 201, 202, 204))
#: What Calendar tries again after; Pub/Sub does after every failure.
CALENDAR_RETRIES = frozenset((500, 502, 503, 504))
NO_ANSWER = 0


@dataclass(frozen=True)
class Message:
    """One POST."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def channel_message(told: Notification, *, wrong_token: bool = False) -> Message:
    """A channel's notification: all of it is in the headers."""
    details = told.details
    headers = {
        "User-Agent": _CALENDAR_AGENT,
        "X-Goog-Channel-ID": told.name,
        "X-Goog-Channel-Expiration": formatdate(told.expires_ms // 1000, usegmt=True),
        "X-Goog-Resource-ID": details["resource_id"],
        "X-Goog-Resource-URI": details["resource_uri"],
        "X-Goog-Resource-State": told.state,
        "X-Goog-Message-Number": str(told.number),
    }
    token = f"{details['token'] or ''}-wrong" if wrong_token else details["token"]
    if token is not None:
        headers["X-Goog-Channel-Token"] = token
    return Message(details["address"], headers)


def topic_message(told: Notification, topic: Topic, authorization: dict[str, str]) -> Message:
    """A Pub/Sub push.

    Its message id is the same at every attempt, and another one in every sandbox: receivers
    remember ids for longer than a sandbox in memory lives.
    """
    data = dump_json({"emailAddress": told.email, "historyId": told.number})
    message_id, at = f"{told.at_ms}{told.n % 1000:03d}", rfc3339(told.at_ms)
    message = {
        "data": base64.urlsafe_b64encode(data.encode()).decode(),
        "messageId": message_id,
        "message_id": message_id,
        "publishTime": at,
        "publish_time": at,
    }
    headers = {"User-Agent": _PUBSUB_AGENT, "Content-Type": "application/json"} | authorization
    body = dump_json({"message": message, "subscription": topic.subscription})
    return Message(topic.endpoint, headers, body.encode())


def post(session: requests.Session, message: Message, timeout_seconds: float) -> int:
    """Send it; returns the status of the answer, or NO_ANSWER."""
    try:
        answer = session.post(
            message.address,
            data=message.body,
            headers=message.headers,
            timeout=timeout_seconds,
            allow_redirects=False,
        )
    except requests.RequestException:
        return NO_ANSWER
    return answer.status_code
