"""The Senders page: whom messages come from, what each may send now; adding and changing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.outreach import SENDER_PROVIDERS
from pipeline.outreach import senders as service
from pipeline.outreach.credentials import CREDENTIAL_FIELDS
from pipeline.outreach.reading import senders
from pipeline.stores import Row
from pipeline.web.admin.outreach.common import TENANT, framed, on_tenant, url_of
from pipeline.web.admin.outreach.forms import number
from pipeline.web.pages import Conflict, Done, Visit, action, page
from pipeline.web.paths import segment

_TEXTS = ("name", "address", "display_name", "reply_to", "user_id")
LIMITS = (("per_minute", "In any minute"), ("per_hour", "In any hour"), ("per_day", "In any day"))
_LIST = f"{TENANT}/senders"
_ONE = f"{_LIST}/{{sender_id:id}}"
_SECRET = "credentials."  # noqa: S105 - what names of fields begin with
_PROVIDERS = [("sendgrid", "SendGrid"), ("smtp", "SMTP"), ("twilio", "Twilio")]


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id = visit.path["tenant_id"]
    # How much they may send is in Redis.
    return framed(visit, "/senders", lambda: {"rows": senders.listed(tenant_id)}, "redis")


def _read_form(visit: Visit) -> Mapping[str, Any]:
    tenant_id, sender_id = visit.path["tenant_id"], visit.path.get("sender_id", "")

    def read() -> dict[str, Any]:
        row = service.get(tenant_id, sender_id) if sender_id else {}
        return {"sender": row, "has_credentials": bool(row.pop("credentials", None))}

    own = f"/{segment(sender_id)}" if sender_id else ""
    return framed(visit, "/senders", read, below="form") | {
        "post_url": f"{url_of(tenant_id)}/senders{own}",
        "providers": [one for one in _PROVIDERS if one[0] in SENDER_PROVIDERS],
        "secrets": CREDENTIAL_FIELDS,
        "limits": LIMITS,
    }


def _values(visit: Visit) -> Row:
    """Return what the form says; credentials only if some are given, or are to be removed."""
    values: Row = {name: visit.said(name) or None for name in _TEXTS}
    values["provider"] = visit.said("provider")
    values["limits"] = {name: number(visit, f"limits.{name}") for name, _ in LIMITS}
    wanted = CREDENTIAL_FIELDS.get(values["provider"], ())
    given = {name: text for name in wanted if (text := visit.said(f"{_SECRET}{name}"))}
    if given or visit.said("without_credentials"):
        values["credentials"] = given or None
    return values


def _create(visit: Visit, tenant_id: str) -> Done:
    sender_id = service.create(tenant_id, _values(visit), by=visit.principal.name)
    told = "The sender is there; it sends once it was verified."
    return Done(told, {"sender": sender_id}, f"{url_of(tenant_id)}/senders")


def _update(visit: Visit, tenant_id: str) -> Done:
    by = visit.principal.name
    row = service.update(tenant_id, visit.path["sender_id"], _values(visit), by=by)
    told = "It is set." if row["status"] == "verified" else "It is set; now it has to be verified."
    return Done(told, location=f"{url_of(tenant_id)}/senders")


def _verify(visit: Visit, tenant_id: str) -> Done:
    row = service.verify(tenant_id, visit.path["sender_id"], by=visit.principal.name)
    if row["status"] != "verified":
        why = row.get("status_reason") or "the provider did not say why"
        raise Conflict(f"It cannot send: {why}.")
    return Done("The provider takes its messages.")


def _turned(turn: Callable[..., Row], told: str) -> Callable[[Visit], Done]:
    """Return an action that turns a sender on or off in some way."""

    def act(visit: Visit, tenant_id: str) -> Done:
        turn(tenant_id, visit.path["sender_id"], by=visit.principal.name)
        return Done(told)

    return on_tenant(act)


def _disable(visit: Visit, tenant_id: str) -> Done:
    reason, by = visit.said("reason"), visit.principal.name
    service.disable(tenant_id, visit.path["sender_id"], reason=reason, by=by)
    return Done("Nothing is sent from it until it is enabled and verified again.")


def _delete(visit: Visit, tenant_id: str) -> Done:
    service.delete(tenant_id, visit.path["sender_id"], by=visit.principal.name)
    return Done("The sender is gone.", location=f"{url_of(tenant_id)}/senders")


def _form(path: str, title: str) -> Any:
    return page(
        path,
        "outreach/sender_form",
        _read_form,
        title=title,
        role="admin",
        nav="outreach",
        seconds=3600,
    )


routes = [
    page(_LIST, "outreach/senders", _read, title="Senders", nav="outreach", seconds=2),
    _form(f"{_LIST}/new", "New sender"),
    _form(f"{_ONE}/edit", "Sender"),
    action(_LIST, on_tenant(_create), name="sender.create", role="admin"),
    action(_ONE, on_tenant(_update), name="sender.update", role="admin"),
    action(f"{_ONE}/verify", on_tenant(_verify), name="sender.verify"),
    action(
        f"{_ONE}/pause",
        _turned(service.pause, "What is to be sent from it waits."),
        name="sender.pause",
    ),
    action(
        f"{_ONE}/resume",
        _turned(service.resume, "It sends again, what has waited first."),
        name="sender.resume",
    ),
    action(f"{_ONE}/disable", on_tenant(_disable), name="sender.disable", role="admin"),
    action(
        f"{_ONE}/enable",
        _turned(service.enable, "It may be verified again."),
        name="sender.enable",
        role="admin",
    ),
    action(f"{_ONE}/delete", on_tenant(_delete), name="sender.delete", role="admin"),
]
