"""What the endpoints about outreach share: whose it is, who may see what, places in lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Annotated, Any, TypeVar

import pymongo
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from models import DEFAULT_TENANT, Campaign, Contact, SenderIdentity, Tenant, User
from pipeline.jobs.current import correlate
from pipeline.stores import Row, collection
from pipeline.web.api.callers import Caller, allowed
from pipeline.web.api.common import PRINTABLE, Payload, cursor, stores
from pipeline.web.api.problems import documented, invalid, not_found
from pipeline.web.paths import segment

T = TypeVar("T")

Reads = Annotated[Caller, allowed("outreach:read")]
Writes = Annotated[Caller, allowed("outreach:write")]
#: The same where nothing else is asked about who calls.
READS = [allowed("outreach:read")]

MASKED = "Masked, unless the token has the scope `outreach:reveal`."
HIDDEN = "Null, unless the token has the scope `outreach:reveal`."
NEXT = "`cursor` of the next page, null at the end."
ACTS = documented(409)
#: What may take many transactions, or asks a provider, has so long.
_LONG_SECONDS = 300.0
_NAME = r"^[^\x00-\x1f\x7f]+$"


def _id(description: str) -> Any:
    return Path(description=description, max_length=400, pattern=_NAME)


SenderId = Annotated[str, _id("The id of a sender.")]
ContactId = Annotated[str, _id("The id of a contact.")]
ImportId = Annotated[str, _id("The id of an import.")]
CampaignId = Annotated[str, _id("The id of a campaign.")]
EnrollmentId = Annotated[str, _id("The id of an enrollment.")]
MessageId = Annotated[str, _id("The id of a message.")]
DeliveryId = Annotated[str, _id("The id of a delivery.")]
SuppressionId = Annotated[str, _id("The id of a suppressed address.")]
TenantPath = Annotated[str, Path(description="The id of a tenant.", max_length=200, pattern=_NAME)]
Cursor = Annotated[str | None, cursor(PRINTABLE)]


def only(what: str) -> Any:
    """Return the query parameter that leaves only what has this id or name."""
    return Query(description=f"Only of this {what}.", max_length=400, pattern=PRINTABLE)


class Reason(Payload):
    """Why something is done."""

    reason: str = Field(default="", max_length=500, description="For those who look at it later.")


def _any_tenant(caller: Annotated[Caller, allowed()], tenant: TenantPath) -> str:
    """Return the tenant of the path.  Raises Refused 404 if the caller may not know of it."""
    if not caller.knows(tenant):
        raise not_found("such tenant")
    return tenant


AnyTenant = Annotated[str, Depends(_any_tenant)]


def known_tenant(caller: Annotated[Caller, allowed()], tenant: AnyTenant) -> str:
    """Return the tenant of the path.  Raises Refused 404 also if nothing is of it.

    So a typing error is not taken for a tenant that has nothing yet.
    """
    if caller.tenant_id is None and tenant != DEFAULT_TENANT and not _is_there(tenant):
        raise not_found("such tenant: nobody and nothing is of it; PATCH it to begin")
    return tenant


OfTenant = Annotated[str, Depends(known_tenant)]


def _is_there(tenant_id: str) -> bool:
    if collection(Tenant).find_one({"_id": tenant_id}, {"_id": 1}):
        return True
    models: tuple[type[Any], ...] = (User, SenderIdentity, Contact, Campaign)
    return any(collection(one).find_one({"tenant_id": tenant_id}, {"_id": 1}) for one in models)


def routed(tag: str, path: str = "") -> APIRouter:
    """Return the router of a part of a tenant's outreach."""
    return APIRouter(
        prefix=f"/tenants/{{tenant:id}}/outreach{path}",
        tags=[tag],
        responses=documented(404),
        dependencies=[stores("mongodb")],
    )


def reveals(caller: Caller) -> bool:
    """Return whether `caller` may see addresses, names and subjects in full."""
    return "outreach:reveal" in caller.scopes


def picked(row: Row, names: Iterable[str]) -> dict[str, Any]:
    """Return these fields of a row, None where it has none."""
    return {name: row.get(name) for name in names}


@contextmanager
def placed() -> Iterator[None]:
    """Refuse a cursor that is no place in the list that is read here."""
    try:
        yield
    except ValueError:
        raise invalid("cursor", "is no place in this list", "give `next` of its page") from None


def location(request: Request, tenant_id: str, path: str, row_id: str) -> str:
    """Return where something is that was made."""
    root = request.scope["root_path"]
    return f"{root}/tenants/{segment(tenant_id)}/outreach/{path}/{segment(row_id)}"


def at_leisure(request: Request, act: Callable[[], T]) -> T:
    """Do what may take longer than stores usually get for a request.

    Deadlines can only be shortened, so it is done in a context that has none.
    """

    def work() -> T:
        with correlate(request.state.correlation_id), pymongo.timeout(_LONG_SECONDS):
            return act()

    return Context().run(work)
