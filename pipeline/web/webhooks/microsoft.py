"""Microsoft Graph's notifications: many at once, and first of all a token to give back.

https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pipeline.push.inbox import GraphNotice
from pipeline.web.webhooks.answers import Refusal, Taken, body_of, malformed
from pipeline.web.webhooks.intake import intake

#: Of a thousand notifications each has about 700 bytes.
_MOST_BODY_BYTES = 2 * 2**20
_MOST_ITEMS = 1000
_LONGEST_VALIDATION_TOKEN = 2048
#: What has no etag counts as sent again for so long; later it is another one.
_SAME_SECONDS = 60
_ACCEPTED = 202

_Name = Annotated[str, Field(min_length=1, max_length=512)]


class _ResourceData(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: str | None = None
    etag: str | None = Field(default=None, alias="@odata.etag")


class _Item(BaseModel):
    """One notification; texts must be texts, and other fields are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    subscriptionId: _Name
    clientState: Annotated[str, Field(max_length=128)] = ""
    changeType: Annotated[str, Field(max_length=64)] = ""
    resource: Annotated[str, Field(max_length=2048)] = ""
    lifecycleEvent: Annotated[str, Field(max_length=64)] | None = None
    resourceData: _ResourceData | None = None


async def take_in(request: Request) -> Taken:
    """Take in notifications; returns what came of each.  Raises Refusal.

    All are answered alike, those that nobody knows or that show the wrong secret,
    too: who sends them learns nothing, and Microsoft takes no endpoint for broken.
    """
    if "validationToken" in request.query_params:
        return _validated(request.query_params["validationToken"])
    entries = _entries(await body_of(request, _MOST_BODY_BYTES))
    notices = [notice for entry in entries if (notice := _notice(entry)) is not None]
    outcomes = Counter(malformed=len(entries) - len(notices))
    if notices:
        outcomes.update(verdict.outcome for verdict in await intake().take_all(notices))
    return Taken(+outcomes, Response(status_code=_ACCEPTED))


def _validated(token: str) -> Taken:
    """Give the token back as text, which no browser takes for a page: all answers say nosniff."""
    if not token or len(token) > _LONGEST_VALIDATION_TOKEN:
        raise malformed(f"validationToken has 1 to {_LONGEST_VALIDATION_TOKEN:,} characters.")
    return Taken({"validated": 1}, PlainTextResponse(token))


def _entries(body: bytes) -> list[Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed("The body is not JSON.") from None
    entries = read.get("value") if isinstance(read, dict) else None
    if not isinstance(entries, list):
        raise malformed("value: It is not a list.")
    if len(entries) > _MOST_ITEMS:
        detail = f"value: {len(entries):,} notifications, at most {_MOST_ITEMS:,} at once."
        raise Refusal(413, "oversized", detail)
    return entries


def _notice(entry: Any) -> GraphNotice | None:
    """Return a notification, or None for what is none; the others are not concerned."""
    try:
        item = _Item.model_validate(entry)
    except ValidationError:
        return None
    return GraphNotice(
        subscription_id=item.subscriptionId,
        state=item.clientState,
        key=_key(item),
        lifecycle=item.lifecycleEvent,
    )


def _key(item: _Item) -> str:
    """Return what is the same when this notification is sent again.

    The etag tells one change of a message from the next.  What has none (deletions,
    and news of the subscription) may truly happen again, and must not be taken for
    what was sent before.
    """
    etag = item.resourceData.etag if item.resourceData else None
    when = etag or f"{time.time() // _SAME_SECONDS:.0f}"
    parts = (item.lifecycleEvent or "", item.changeType, item.resource, when)
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
