"""Google Calendar's notifications: everything is in the headers, the body is empty.

https://developers.google.com/workspace/calendar/api/guides/push#receive-notifications
"""

from __future__ import annotations

from starlette.requests import Request

from pipeline.push.inbox import ChannelNotice
from pipeline.web.webhooks.answers import Refusal, body_of, malformed
from pipeline.web.webhooks.intake import intake

_MOST_BODY_BYTES = 4096
#: Channel ids are at most 64 characters, tokens 256; the rest is Google's own.
_LONGEST = {
    "X-Goog-Channel-ID": 64,
    "X-Goog-Channel-Token": 256,
    "X-Goog-Message-Number": 19,
    "X-Goog-Resource-ID": 512,
    "X-Goog-Resource-State": 64,
}
#: The first notification of a channel: nothing has changed, it works.
_FIRST = "sync"


async def take_in(request: Request) -> str:
    """Take in a notification; returns its outcome.  Raises Refusal."""
    await body_of(request, _MOST_BODY_BYTES)
    verdict = await intake().take(_notice(request))
    if verdict.outcome == "unknown":
        raise Refusal(404, "unknown", "There is no such channel.")
    if verdict.outcome == "forged":
        raise Refusal(403, "forged", "X-Goog-Channel-Token is not the one of this channel.")
    return verdict.outcome


def _notice(request: Request) -> ChannelNotice:
    number = _header(request, "X-Goog-Message-Number")
    if not (number.isascii() and number.isdigit()) or int(number) >= 2**63:
        raise malformed("X-Goog-Message-Number is not a number.")
    return ChannelNotice(
        channel_id=_header(request, "X-Goog-Channel-ID"),
        # One that is missing is as wrong as any other.
        token=_header(request, "X-Goog-Channel-Token", needed=False),
        number=int(number),
        is_first=_header(request, "X-Goog-Resource-State") == _FIRST,
        resource_id=_header(request, "X-Goog-Resource-ID"),
    )


def _header(request: Request, name: str, *, needed: bool = True) -> str:
    value = request.headers.get(name, "")
    if needed and not value:
        raise malformed(f"{name} is missing.")
    if len(value) > _LONGEST[name]:
        raise malformed(f"{name} is longer than {_LONGEST[name]} characters.")
    return value
