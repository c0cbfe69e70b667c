"""Senders: made, changed, verified, paused, disabled."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Request, Response

from pipeline.outreach import senders as service
from pipeline.outreach.reading import senders as reading
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import acting, stores
from pipeline.web.api.outreach.common import (
    ACTS,
    OfTenant,
    Reads,
    Reason,
    SenderId,
    Writes,
    at_leisure,
    location,
    reveals,
    routed,
)
from pipeline.web.api.outreach.sender_views import (
    SenderChanges,
    SenderList,
    SenderView,
    SenderWanted,
    sender_view,
)

router = routed("outreach senders", "/senders")
router.dependencies.append(stores("redis"))  # which knows how much of each limit is in use


@router.get("")
def list_senders(caller: Reads, tenant: OfTenant) -> SenderList:
    """List the senders of a tenant by name, with how much of their limits is in use."""
    found = reading.listed(tenant)
    return SenderList(senders=[sender_view(one, reveal=reveals(caller)) for one in found])


@router.post("", status_code=201, responses=ACTS)
def create_sender(
    request: Request, caller: Writes, tenant: OfTenant, response: Response, wanted: SenderWanted
) -> SenderView:
    """Make a sender, which is to be verified before it sends."""
    values = {name: value for name, value in wanted.values_given().items() if value is not None}
    with acting(request, caller, "sender.create", f"tenant {tenant}") as row:
        sender_id = service.create(tenant, values, by=caller.actor)
        row.details["sender"] = sender_id
    response.headers["Location"] = location(request, tenant, "senders", sender_id)
    return _found(caller, tenant, sender_id)


@router.get("/{sender:id}")
def get_sender(caller: Reads, tenant: OfTenant, sender: SenderId) -> SenderView:
    """Tell of one sender."""
    return _found(caller, tenant, sender)


@router.patch("/{sender:id}", responses=ACTS)
def change_sender(
    request: Request, caller: Writes, tenant: OfTenant, sender: SenderId, wanted: SenderChanges
) -> SenderView:
    """Change a sender; with another provider, address or secret it is to be verified again."""
    with acting(request, caller, "sender.update", f"sender {sender}"):
        service.update(tenant, sender, wanted.values_given(), by=caller.actor)
    return _found(caller, tenant, sender)


@router.delete("/{sender:id}", status_code=204, responses=ACTS)
def delete_sender(request: Request, caller: Writes, tenant: OfTenant, sender: SenderId) -> None:
    """Delete a sender that no campaign names and nothing was sent from."""
    with acting(request, caller, "sender.delete", f"sender {sender}"):
        service.delete(tenant, sender, by=caller.actor)


@router.post("/{sender:id}/verify", responses=ACTS)
def verify_sender(
    request: Request, caller: Writes, tenant: OfTenant, sender: SenderId
) -> SenderView:
    """Ask the provider whether it takes messages from a sender: it is verified, or failing."""

    def act() -> None:
        with acting(request, caller, "sender.verify", f"sender {sender}"):
            service.verify(tenant, sender, by=caller.actor)

    at_leisure(request, act)
    return _found(caller, tenant, sender)


@router.post("/{sender:id}/pause")
def pause_sender(
    request: Request, caller: Writes, tenant: OfTenant, sender: SenderId
) -> SenderView:
    """Have all that is to be sent from a sender wait."""
    with acting(request, caller, "sender.pause", f"sender {sender}"):
        service.pause(tenant, sender, by=caller.actor)
    return _found(caller, tenant, sender)


@router.post("/{sender:id}/resume")
def resume_sender(
    request: Request, caller: Writes, tenant: OfTenant, sender: SenderId
) -> SenderView:
    """Have it sent again, what has waited first."""
    with acting(request, caller, "sender.resume", f"sender {sender}"):
        service.resume(tenant, sender, by=caller.actor)
    return _found(caller, tenant, sender)


@router.post("/{sender:id}/disable")
def disable_sender(
    request: Request,
    caller: Writes,
    tenant: OfTenant,
    sender: SenderId,
    wanted: Annotated[Reason, Body(default_factory=Reason)],
) -> SenderView:
    """Let nothing be sent from a sender until it was enabled and verified again."""
    with acting(request, caller, "sender.disable", f"sender {sender}", reason=wanted.reason):
        service.disable(tenant, sender, by=caller.actor, reason=wanted.reason)
    return _found(caller, tenant, sender)


@router.post("/{sender:id}/enable")
def enable_sender(
    request: Request, caller: Writes, tenant: OfTenant, sender: SenderId
) -> SenderView:
    """Have a disabled sender be verified again; until then it sends nothing."""
    with acting(request, caller, "sender.enable", f"sender {sender}"):
        service.enable(tenant, sender, by=caller.actor)
    return _found(caller, tenant, sender)


def _found(caller: Caller, tenant_id: str, sender_id: str) -> SenderView:
    return sender_view(reading.find(tenant_id, sender_id), reveal=reveals(caller))
