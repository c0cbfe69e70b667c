"""Mailboxes: list, see, set; their folders and what happens in them; analyze now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from models.email_event import EVENT_TYPES
from pipeline.dispatch import send
from pipeline.errors import ReauthRequired
from pipeline.mailbox import preferences
from pipeline.mailbox.reading import folders as folder_reading
from pipeline.mailbox.reading import mailboxes as reading
from pipeline.mailbox.reading.events import Wanted, events
from pipeline.mailbox.reading.mailboxes import Filter
from pipeline.places import page_of
from pipeline.web.api.common import PRINTABLE, Limit, Payload, acting, cursor, stores
from pipeline.web.api.mailboxes.common import (
    MailboxId,
    PlaceCursor,
    Reads,
    Writes,
    box_of,
    mailbox_of,
    place_of,
    reveals,
)
from pipeline.web.api.mailboxes.views import (
    EventList,
    FolderList,
    MailboxList,
    MailboxView,
    event_view,
    folder_view,
    mailbox_view,
)
from pipeline.web.api.problems import documented, invalid

router = APIRouter(prefix="/mailboxes", tags=["mailboxes"], dependencies=[stores("mongodb")])

_Text = Annotated[str, Field(max_length=320)]


class SignatureWanted(Payload):
    """A signature; without `id` it is a new one."""

    id: str | None = Field(default=None, max_length=64)
    name: str = Field(min_length=1, max_length=200)
    content: str = Field(default="", max_length=20_000)
    is_default: bool = False


class SettingsWanted(Payload):
    """What is to be set for a mailbox; what is left out stays as it is."""

    automation_paused: bool | None = None
    whitelisted_senders: list[_Text] | None = Field(default=None, max_length=1000)
    whitelisted_domains: list[_Text] | None = Field(default=None, max_length=1000)
    mirror_rules: bool | None = None
    signatures: list[SignatureWanted] | None = Field(default=None, max_length=50)


class AnalysisQueued(BaseModel):
    """An analysis that was asked for."""

    message_id: str = Field(description="Its run, of which `GET /jobs/{job}` tells more.")
    created: bool = Field(description="False if one waits or runs already.")


@router.get("")
def list_mailboxes(
    caller: Reads,
    search: Annotated[
        str,
        Query(
            description="How the id of its user begins, or its whole address.",
            max_length=320,
            pattern=PRINTABLE,
        ),
    ] = "",
    show: Annotated[
        reading.Show | None, Query(description="Only mailboxes of which this holds.")
    ] = None,
    tenant_id: Annotated[
        str | None, Query(description="Only its mailboxes.", max_length=200, pattern=PRINTABLE)
    ] = None,
    cursor: Annotated[str | None, cursor(PRINTABLE)] = None,
    limit: Limit = 50,
) -> MailboxList:
    """List mailboxes in the order of the ids of their users."""
    if not caller.knows(tenant_id or caller.tenant_id):
        return MailboxList(mailboxes=[], next=None)
    only_of = caller.tenant_id if caller.tenant_id is not None else tenant_id
    try:
        page = reading.listed(limit, after=cursor or "", wanted=Filter(search, show, only_of or ""))
    except ValueError:
        raise invalid("cursor", "is no place in this list", "give `next` of its page") from None
    shown = [mailbox_view(box, reveal=reveals(caller)) for box in page.mailboxes]
    return MailboxList(mailboxes=shown, next=page.next or None)


@router.get("/{mailbox:id}", responses=documented(404))
def get_mailbox(caller: Reads, mailbox: MailboxId) -> MailboxView:
    """Tell of one mailbox."""
    return mailbox_view(box_of(caller, mailbox), reveal=reveals(caller))


@router.patch("/{mailbox:id}/settings", responses=documented(404, 409))
def set_mailbox(
    request: Request, caller: Writes, mailbox: MailboxId, wanted: SettingsWanted
) -> MailboxView:
    """Change what is set for a mailbox: its pause, whitelist, mirroring, signatures."""
    mailbox_of(caller, mailbox)
    changes = wanted.model_dump(exclude_unset=True, exclude_none=True)
    with acting(request, caller, "mailbox.set", f"mailbox {mailbox}", fields=", ".join(changes)):
        preferences.update_mailbox_settings(mailbox, changes, by=caller.actor)
    return mailbox_view(box_of(caller, mailbox), reveal=reveals(caller))


@router.get("/{mailbox:id}/folders", responses=documented(404))
def list_folders(caller: Reads, mailbox: MailboxId) -> FolderList:
    """List the folders of a mailbox as they landed; rules name them by id."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    return FolderList(folders=[folder_view(one) for one in folder_reading.counted(user_id)])


@router.post(
    "/{mailbox:id}/analyses",
    status_code=202,
    responses=documented(404, 409),
    dependencies=[stores("redis")],
)
def analyze_mailbox(request: Request, caller: Writes, mailbox: MailboxId) -> AnalysisQueued:
    """Look for patterns now; else that is done every night at 02:00 of its user."""
    row = mailbox_of(caller, mailbox)
    if not row.get("is_connected"):
        raise ReauthRequired("the mailbox is not connected; its user must connect it again")
    with acting(request, caller, "mailbox.analyze", f"mailbox {mailbox}"):
        tenant_id = row["tenant_id"]
        sent = send("analyze_patterns", row["user_id"], row["_id"], tenant_id=tenant_id)
    return AnalysisQueued(message_id=sent.message_id, created=sent.created)


@router.get("/{mailbox:id}/events", responses=documented(404))
def list_events(
    caller: Reads,
    mailbox: MailboxId,
    event_type: Annotated[
        str | None,
        Query(description="Only of this type.", json_schema_extra={"enum": [*EVENT_TYPES]}),
    ] = None,
    domain: Annotated[
        str, Query(description="Only from this domain.", max_length=255, pattern=PRINTABLE)
    ] = "",
    message_id: Annotated[
        str, Query(description="Only of this mail.", max_length=500, pattern=PRINTABLE)
    ] = "",
    cursor: PlaceCursor = None,
    limit: Limit = 50,
) -> EventList:
    """List what happened to the mail of a mailbox, the newest first."""
    if event_type not in (None, *EVENT_TYPES):
        raise invalid("event_type", "is none of those that there are", f"give {EVENT_TYPES[0]}")
    row = mailbox_of(caller, mailbox)
    wanted = Wanted(event_type or "", domain, message_id)
    found = events(row, wanted, limit + 1, place_of(cursor))
    shown, after = page_of(found, limit, "timestamp")
    paths = folder_reading.paths(row["user_id"])
    told = [event_view(event, paths, reveal=reveals(caller)) for event in shown]
    return EventList(events=told, next=after or None)
