"""The mail policy of a tenant: rules and a whitelist for the mailboxes of all its users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models import Mailbox, User
from pipeline.mailbox import org_rules, preferences
from pipeline.masking import masked_address
from pipeline.stores import collection
from pipeline.web.admin.mailboxes import rule_form
from pipeline.web.admin.mailboxes.rule_acts import reordered
from pipeline.web.admin.mailboxes.rules import shown_rule
from pipeline.web.admin.mailboxes.settings import lines, whitelist_form
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import Part, part
from pipeline.web.templating import render

_HOME = "/admin/mail-policies"
_TENANT = f"{_HOME}/{{tenant_id:id}}"
#: Rules of a tenant know no folder of a mailbox.
_PLACES = [one for one in rule_form.PLACES if one[0] != "move"]


def url_of(tenant_id: str) -> str:
    """Return the address of a tenant's policy."""
    return f"{_HOME}/{segment(tenant_id)}"


def _known(visit: Visit) -> str:
    """Return the tenant of the address.  Raises NotFound if nobody is of it."""
    tenant_id = visit.path["tenant_id"]
    if not collection(User).count_documents({"tenant_id": tenant_id}, limit=1):
        raise NotFound("There is no such tenant: no user is of it.")
    return tenant_id


def _read(visit: Visit) -> Mapping[str, Any]:
    def read() -> dict[str, Any]:
        tenant_id = _known(visit)
        policy = preferences.policy(tenant_id)
        return {
            "rows": [shown_rule(row, {}) for row in org_rules.listed(tenant_id)],
            "senders": [masked_address(one) for one in policy["whitelisted_senders"]],
            "domains": policy["whitelisted_domains"],
            "mailboxes": collection(Mailbox).count_documents({"tenant_id": tenant_id}),
        }

    return _framed(visit, part("mongodb", read, keep=f"mail policy {visit.path['tenant_id']}"))


def _read_new(visit: Visit) -> Mapping[str, Any]:
    found = part("mongodb", lambda: _known(visit))
    return _framed(visit, found) | {"form": rule_form.filled(), "places": _PLACES}


def _framed(visit: Visit, found: Part[Any]) -> dict[str, Any]:
    tenant_id = visit.path["tenant_id"]
    return {
        "title": f"Mail policy of {tenant_id}",
        "tenant_id": tenant_id,
        "url": url_of(tenant_id),
        "found": found,
    }


def _on(act: Callable[[Visit, str, str], Done]) -> Callable[[Visit], Done]:
    """Have `act` called with the tenant, and the id of the rule."""
    return lambda visit: act(visit, _known(visit), visit.path.get("rule_id", ""))


def _create(visit: Visit, tenant_id: str, _: str) -> Done:
    rule_id = org_rules.create(tenant_id, **_content(visit), by=visit.principal.name)
    return Done("The rule is there, the last in the order.", {"rule": rule_id}, url_of(tenant_id))


def _update(visit: Visit, tenant_id: str, rule_id: str) -> Done:
    version = rule_form.version_of(visit)
    org_rules.update(tenant_id, rule_id, _content(visit), version=version)
    return Done("Changed.", location=url_of(tenant_id))


def _content(visit: Visit) -> dict[str, Any]:
    return {
        "name": visit.said("name"),
        "conditions": rule_form.conditions_of(visit),
        "actions": rule_form.actions_of(visit),
        "skip_staging": bool(visit.said("skip_staging")),
    }


def _edit(_: Visit, tenant_id: str, rule_id: str) -> Done:
    """Show the form of a rule, with its addresses in full, to who asks."""
    html = render(
        "admin/mailboxes/_rule_form.html",
        form=rule_form.filled(org_rules.get(tenant_id, rule_id)),
        places=_PLACES,
        folders=None,
        url=f"{url_of(tenant_id)}/rules/{rule_id}",
        simulate_url="",
        submit="Save",
    )
    return Done("Shown.", html=html)


def _toggle(visit: Visit, tenant_id: str, rule_id: str) -> Done:
    enabled = visit.said("enabled") == "1"
    org_rules.update(tenant_id, rule_id, {"is_enabled": enabled})
    return Done("The rule is on." if enabled else "The rule is off.", {"enabled": enabled})


def _move(visit: Visit, tenant_id: str, rule_id: str) -> Done:
    order = [str(row["_id"]) for row in org_rules.listed(tenant_id)]
    moved = reordered(order, rule_id, visit.said("to"))
    org_rules.reorder(tenant_id, moved)
    return Done(f"It is number {moved.index(rule_id) + 1} now.", {"to": visit.said("to")})


def _delete(visit: Visit, tenant_id: str, rule_id: str) -> Done:
    org_rules.delete(tenant_id, rule_id, by=visit.principal.name)
    return Done("The rule is deleted; what it had staged goes back where it was.")


def _show_whitelist(visit: Visit, tenant_id: str, _: str) -> Done:
    url = f"{url_of(tenant_id)}/whitelist/save"
    return whitelist_form(visit, preferences.policy(tenant_id), url, "the tenant")


def _set_whitelist(visit: Visit, tenant_id: str, _: str) -> Done:
    names = ("whitelisted_senders", "whitelisted_domains")
    changes = {name: lines(visit, name) for name in names}
    preferences.update_tenant_policy(tenant_id, changes, by=visit.principal.name)
    return Done("The whitelist is set.", location=url_of(tenant_id))


_RULE = f"{_TENANT}/rules/{{rule_id:id}}"
routes = [
    page(_TENANT, "mailboxes/tenant", _read, title="Mail policy", nav="mailboxes", seconds=5),
    page(
        f"{_TENANT}/rules/new",
        "mailboxes/tenant_rule_new",
        _read_new,
        title="New rule",
        role="operator",
        nav="mailboxes",
        seconds=3600,
    ),
    action(f"{_TENANT}/rules", _on(_create), name="org_rule.create"),
    action(_RULE, _on(_update), name="org_rule.update"),
    action(f"{_RULE}/edit", _on(_edit), name="org_rule.edit"),
    action(f"{_RULE}/toggle", _on(_toggle), name="org_rule.toggle"),
    action(f"{_RULE}/move", _on(_move), name="org_rule.move"),
    action(f"{_RULE}/delete", _on(_delete), name="org_rule.delete"),
    action(f"{_TENANT}/whitelist", _on(_show_whitelist), name="tenant_policy.reveal"),
    action(f"{_TENANT}/whitelist/save", _on(_set_whitelist), name="tenant_policy.set"),
]
