"""Gmail's notifications, which Pub/Sub delivers: whose mailbox, in base64, in JSON.

https://developers.google.com/workspace/gmail/api/guides/push#receiving_notifications
https://docs.cloud.google.com/pubsub/docs/push#receive_push
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from pipeline.push.google_gmail import routes
from pipeline.push.inbox import MailboxNotice
from pipeline.web.webhooks.answers import body_of, malformed
from pipeline.web.webhooks.intake import intake
from pipeline.web.webhooks.pubsub import check_sender

_MOST_BODY_BYTES = 64 * 1024


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Read = TypeVar("Read", bound=_Shape)


class _Message(_Shape):
    data: str
    messageId: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]


class _Push(_Shape):
    message: _Message


class _Change(_Shape):
    """What Gmail says.  Its `historyId` is not read: our own cursor says where to go on."""

    emailAddress: Annotated[str, Field(min_length=3, max_length=320)]


async def take_in(request: Request) -> str:
    """Take in a notification; returns its outcome.  Raises Refusal.

    One for a mailbox that nobody has connected is answered well: Pub/Sub would
    send it again for days.
    """
    body = await body_of(request, _MOST_BODY_BYTES)
    await check_sender(request.headers.get("authorization", ""))
    message = _read(_Push, body, "").message
    change = _read(_Change, _decoded(message.data), "message.data.")
    notice = MailboxNotice(message.messageId, tuple(routes(change.emailAddress)))
    verdict = await intake().take(notice)
    return verdict.outcome


def _read(shape: type[Read], text: bytes, prefix: str) -> Read:
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = prefix + ".".join(map(str, first["loc"])) or "The body"
        raise malformed(f"{field.rstrip('.')}: {first['msg']}.") from None


def _decoded(data: str) -> bytes:
    """Return what is in base64, of either alphabet, with or without its padding."""
    try:
        text = data.rstrip("=").translate(str.maketrans("-_", "+/")).encode("ascii")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise malformed("message.data: It is not base64.") from None
