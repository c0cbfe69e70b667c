"""Users: list, create, see, and let them connect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, Field

from models import DEFAULT_TENANT, User
from pipeline.connect import check_user_id
from pipeline.errors import Permanent
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection
from pipeline.users import listing
from pipeline.users.registering import check_tenant_id, register
from pipeline.users.status import UserStatus, status_of
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import (
    PRINTABLE,
    Limit,
    Payload,
    UserId,
    acting,
    cursor,
    require,
    stores,
)
from pipeline.web.api.problems import Refused, documented, invalid, not_found
from pipeline.web.api.user_views import (
    ConnectionList,
    UserList,
    UserView,
    connection_of,
    summary_of,
    user_of,
)
from pipeline.web.connect.links import HOUR_SECONDS, LONGEST_SECONDS, connect_link, may_return_to

router = APIRouter(prefix="/users", tags=["users"], dependencies=[stores("mongodb")])

Reads = Annotated[Caller, allowed("users:read")]
Writes = Annotated[Caller, allowed("users:write")]
Source = Annotated[str, Field(json_schema_extra={"enum": [*SOURCES]})]


class Registration(Payload):
    """What is to be kept of a user."""

    tenant_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
        description="The organization of the user; without it, it stays as it is.",
    )


class ConnectLinkWanted(Payload):
    """What a link is to allow."""

    provider: Literal["google", "microsoft"] = "google"
    sources: list[Source] | None = Field(
        default=None, min_length=1, max_length=len(SOURCES), description="Without it: all."
    )
    return_to: str = Field(
        default="",
        max_length=1000,
        description="Where the user goes afterwards; of an origin in CONNECT_RETURN_ORIGINS.",
    )
    lifetime_seconds: int = Field(default=HOUR_SECONDS, ge=60, le=LONGEST_SECONDS)
    other_account: bool = Field(
        default=False, description="The copy may become that of another account than before."
    )


class ConnectLink(BaseModel):
    """A link that the user opens.  Whoever has it can connect an account for the user."""

    url: str
    expires_at: datetime


def known_user(caller: Caller, user_id: str) -> Row:
    """Return the user.  Raises Refused 404 if there is none that `caller` may know of."""
    user = collection(User).find_one({"_id": user_id})
    if user is None or not caller.knows(user.get("tenant_id") or DEFAULT_TENANT):
        raise not_found("such user; `PUT /users/{user_id}` creates one")
    return user


def tenant_of(caller: Caller, tenant_id: str | None, user_id: str | None = None) -> str:
    """Return whose records are meant: a user says the tenant, too.

    Raises Refused 404 for what `caller` may not know of, 422 if nothing says a tenant.
    """
    if user_id is not None:
        of_user: str = known_user(caller, user_id).get("tenant_id") or DEFAULT_TENANT
        if tenant_id not in (None, of_user):
            raise not_found("such user of this tenant")
        return of_user
    chosen = tenant_id or caller.tenant_id
    if chosen is None:
        raise invalid("tenant_id", "is missing", "give it: this token is for all tenants")
    if not caller.knows(chosen):
        raise not_found("such tenant")
    return chosen


def _status(caller: Caller, user_id: str) -> UserStatus:
    known_user(caller, user_id)
    status = status_of(user_id)
    if status is None:  # erased between the two looks
        raise not_found("such user")
    return status


@router.get("")
def list_users(
    caller: Reads,
    search: Annotated[
        str,
        Query(description="How their ids begin.", max_length=200, pattern=PRINTABLE),
    ] = "",
    trouble: Annotated[
        listing.Trouble | None, Query(description="Only users of whom a source is so.")
    ] = None,
    source: Annotated[
        str | None,
        Query(description="Only users who have it.", json_schema_extra={"enum": [*SOURCES]}),
    ] = None,
    tenant_id: Annotated[
        str | None, Query(description="Only its users.", max_length=200, pattern=PRINTABLE)
    ] = None,
    cursor: Annotated[str | None, cursor(PRINTABLE)] = None,
    limit: Limit = 50,
) -> UserList:
    """List users in the order of their ids; stale ones in the order in which they became so."""
    check_sources("source", [source] if source else None)
    if trouble == "paused":
        require("redis")
    only_of = caller.tenant_id if caller.tenant_id is not None else tenant_id
    if not caller.knows(tenant_id or caller.tenant_id):
        return UserList(users=[], next=None)
    wanted = listing.Filter(search, trouble, source or "", only_of or "")
    try:
        page = listing.users(limit, after=cursor or "", wanted=wanted)
    except ValueError:
        raise invalid("cursor", "is no place in this list", "give `next` of its page") from None
    # A state may for a moment still say the tenant that its user has left.
    shown = [summary_of(row) for row in page.users if caller.knows(row.tenant_id)]
    return UserList(users=shown, next=page.next or None)


def check_sources(field: str, names: Sequence[str] | None) -> None:
    """Raise Refused 422 for a source that there is not."""
    if not SOURCES.keys() >= set(names or ()):
        raise invalid(field, "names a source that there is not", f"give {' or '.join(SOURCES)}")


@router.get("/{user_id:id}", responses=documented(404), dependencies=[stores("redis")])
def get_user(caller: Reads, user_id: UserId) -> UserView:
    """Tell all about one user: how fresh each source is, how often it is looked at, and why."""
    return user_of(_status(caller, user_id))


@router.put(
    "/{user_id:id}",
    responses=documented(404, 409) | {201: {"model": UserView, "description": "The user is new."}},
    dependencies=[stores("redis")],
)
def put_user(
    request: Request,
    response: Response,
    caller: Writes,
    user_id: UserId,
    registration: Annotated[Registration, Body(default_factory=Registration)],
) -> UserView:
    """Create a user, or give one to another tenant; safe to repeat."""
    tenant_id = registration.tenant_id
    _check_ids(caller, user_id, tenant_id)
    with acting(request, caller, "user.put", f"user {user_id}", tenant=tenant_id) as row:
        created = register(user_id, tenant_id, only_of=caller.tenant_id)
        row.details["created"] = created
    if created:
        response.status_code = 201
    return user_of(_status(caller, user_id))


def _check_ids(caller: Caller, user_id: str, tenant_id: str | None) -> None:
    """Raise Refused for ids that cannot be any, and for a tenant that is not the caller's."""
    for field, check in (("user_id", check_user_id), ("tenant_id", check_tenant_id)):
        value = user_id if field == "user_id" else tenant_id
        try:
            if value is not None:
                check(value)
        except Permanent as error:
            raise invalid(field, "cannot be an id", str(error)) from None
    if tenant_id is not None and not caller.knows(tenant_id):
        raise Refused(403, f"the token {caller.name} is for users of one other tenant only")


@router.get("/{user_id:id}/connections", responses=documented(404), dependencies=[stores("redis")])
def list_connections(caller: Reads, user_id: UserId) -> ConnectionList:
    """List the grants of a user, without their credentials."""
    status = _status(caller, user_id)
    return ConnectionList(connections=[connection_of(one) for one in status.connections])


@router.post("/{user_id:id}/connect-links", status_code=201, responses=documented(404, 409))
def create_connect_link(
    request: Request,
    caller: Writes,
    user_id: UserId,
    wanted: Annotated[ConnectLinkWanted, Body(default_factory=ConnectLinkWanted)],
) -> ConnectLink:
    """Make a link by which the user connects an account in a browser.

    Give it to that user only.  It may be used again and again until it expires.
    """
    user = known_user(caller, user_id)
    check_sources("sources", wanted.sources)
    if wanted.return_to and not may_return_to(wanted.return_to):
        fix = "name its origin in the setting CONNECT_RETURN_ORIGINS"
        raise invalid("return_to", "is of no origin that users may be sent to", fix)
    asked = ", ".join(wanted.sources or ())
    with acting(request, caller, "user.connect_link", f"user {user_id}", sources=asked):
        url = connect_link(
            user_id,
            wanted.provider,
            wanted.sources,
            wanted.return_to,
            wanted.lifetime_seconds,
            tenant_id=user.get("tenant_id") or "",
            other_account=wanted.other_account,
        )
    ends = datetime.now(UTC) + timedelta(seconds=wanted.lifetime_seconds)
    return ConnectLink(url=url, expires_at=ends)
