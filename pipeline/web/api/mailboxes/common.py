"""What the endpoints about mailboxes share: who may know what, ids, and places in lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from models import DEFAULT_TENANT
from pipeline.errors import Gone
from pipeline.mailbox.reading import mailboxes
from pipeline.mailbox.reading.mailboxes import MailboxRow
from pipeline.places import Place
from pipeline.stores import Row
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import cursor
from pipeline.web.api.problems import not_found

Reads = Annotated[Caller, allowed("mailboxes:read")]
Writes = Annotated[Caller, allowed("mailboxes:write")]

_NAME = r"^[^\x00-\x1f\x7f]+$"
_OBJECT_ID = r"^[0-9a-f]{24}$"

MailboxId = Annotated[str, Path(description="The id of a mailbox.", max_length=64, pattern=_NAME)]
PatternId = Annotated[str, Path(description="The id of a pattern.", pattern=_OBJECT_ID)]
RuleId = Annotated[str, Path(description="The id of a rule.", pattern=_OBJECT_ID)]
StagedId = Annotated[str, Path(description="The id of a staged mail.", pattern=_OBJECT_ID)]
AuditId = Annotated[str, Path(description="The id of a row of the audit.", pattern=_OBJECT_ID)]
TenantId = Annotated[str, Path(description="The id of a tenant.", max_length=200, pattern=_NAME)]
PlaceCursor = Annotated[str | None, cursor(r"^[0-9]{1,13}-[0-9a-f]{24}$")]


def box_of(caller: Caller, mailbox_id: str) -> MailboxRow:
    """Return a mailbox.  Raises Refused 404 if there is none that `caller` may know of."""
    try:
        box = mailboxes.find(mailbox_id)
    except Gone:
        raise not_found("such mailbox") from None
    if not caller.knows(box.mailbox.get("tenant_id") or DEFAULT_TENANT):
        raise not_found("such mailbox")
    return box


def mailbox_of(caller: Caller, mailbox_id: str) -> Row:
    """Return the row of a mailbox, as `box_of`."""
    return box_of(caller, mailbox_id).mailbox


def reveals(caller: Caller) -> bool:
    """Return whether `caller` may see senders and subjects in full."""
    return "mailboxes:reveal" in caller.scopes


def place_of(text: str | None) -> Place | None:
    """Return the place that a cursor names."""
    return Place.parsed(text) if text else None
