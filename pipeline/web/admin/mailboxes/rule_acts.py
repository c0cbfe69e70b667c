"""What an operator does to the rules of a mailbox."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.mailbox import rules, run_now
from pipeline.mailbox.reading.folders import choices, paths
from pipeline.stores import Row
from pipeline.web.admin.mailboxes import rule_form, simulations
from pipeline.web.admin.mailboxes.common import ONE, box_of, url_of
from pipeline.web.pages import ActionRoute, Conflict, Done, Visit, action
from pipeline.web.templating import render

Act = Callable[[Visit, Row, str], Done]


def _on(act: Act) -> Callable[[Visit], Done]:
    """Have `act` called with the mailbox, and the id of the rule."""
    return lambda visit: act(visit, box_of(visit).mailbox, visit.path.get("rule_id", ""))


def _create(visit: Visit, mailbox: Row, _: str) -> Done:
    rule_id = rules.create(
        mailbox["user_id"],
        mailbox["_id"],
        name=visit.said("name"),
        conditions=rule_form.conditions_of(visit),
        actions=rule_form.actions_of(visit),
        skip_staging=bool(visit.said("skip_staging")),
        by=visit.principal.name,
    )
    location = f"{url_of(mailbox['_id'])}/rules/{rule_id}"
    return Done("The rule is there, the last in the order.", {"rule": rule_id}, location)


def _update(visit: Visit, mailbox: Row, rule_id: str) -> Done:
    changes = {
        "name": visit.said("name"),
        "conditions": rule_form.conditions_of(visit),
        "actions": rule_form.actions_of(visit),
        "skip_staging": bool(visit.said("skip_staging")),
    }
    rules.update(
        mailbox["user_id"],
        rule_id,
        changes,
        by=visit.principal.name,
        version=rule_form.version_of(visit),
    )
    return Done("Changed.", location=f"{url_of(mailbox['_id'])}/rules/{rule_id}")


def _edit(_: Visit, mailbox: Row, rule_id: str) -> Done:
    """Show the form of a rule, with its addresses in full, to who asks."""
    rule = rules.get(mailbox["user_id"], rule_id)
    html = render(
        "admin/mailboxes/_rule_form.html",
        form=rule_form.filled(rule),
        places=rule_form.PLACES,
        folders=choices(mailbox["user_id"]),
        url=f"{url_of(mailbox['_id'])}/rules/{rule_id}",
        simulate_url=f"{url_of(mailbox['_id'])}/rules/simulate",
        submit="Save",
    )
    return Done("Shown.", html=html)


def _simulate(visit: Visit, mailbox: Row, _: str) -> Done:
    """Show what a rule would have met that is not there yet."""
    user_id = mailbox["user_id"]
    found = simulations.simulated(
        user_id, rule_form.conditions_of(visit), simulations.MOST_DAYS, paths(user_id)
    )
    html = render("admin/mailboxes/_simulated.html", simulation=found, days=simulations.MOST_DAYS)
    return Done("Simulated.", {"mails": found["count"]}, html=html)


def _toggle(visit: Visit, mailbox: Row, rule_id: str) -> Done:
    enabled = visit.said("enabled") == "1"
    rules.toggle(mailbox["user_id"], rule_id, enabled, by=visit.principal.name)
    return Done("The rule is on." if enabled else "The rule is off.", {"enabled": enabled})


def _move(visit: Visit, mailbox: Row, rule_id: str) -> Done:
    user_id, to = mailbox["user_id"], visit.said("to")
    order = [str(row["_id"]) for row in rules.listed(user_id, mailbox["_id"])]
    moved = reordered(order, rule_id, to)
    rules.reorder(user_id, mailbox["_id"], moved, by=visit.principal.name)
    return Done(f"It is number {moved.index(rule_id) + 1} now.", {"to": to})


def reordered(order: list[str], rule_id: str, to: str) -> list[str]:
    """Return the order with one rule moved "up" or "down".  Raises Conflict if it cannot be."""
    if rule_id not in order:
        raise Conflict("There is no such rule any more.")
    place = order.index(rule_id)
    other = place + {"up": -1, "down": 1}.get(to, 0)
    if other == place or not 0 <= other < len(order):
        raise Conflict("It cannot be moved further.")
    moved = list(order)
    moved[place], moved[other] = moved[other], moved[place]
    return moved


def _delete(visit: Visit, mailbox: Row, rule_id: str) -> Done:
    rules.delete(mailbox["user_id"], rule_id, by=visit.principal.name)
    told = "The rule is deleted; what it had staged goes back where it was."
    return Done(told, location=f"{url_of(mailbox['_id'])}/rules")


def _run(visit: Visit, mailbox: Row, rule_id: str) -> Done:
    by = visit.principal.name
    started = run_now.run_now(mailbox["user_id"], mailbox["_id"], rule_id, by)
    if not started.mails:
        return Done("No mail that is there fits it, or it met the rule before.", {"mails": 0})
    text = f"To be done to mails that are there: {started.mails:,}."
    return Done(text, {"mails": started.mails, "job": started.job_id})


_LIST = f"{ONE}/rules"
_ONE = f"{_LIST}/{{rule_id:id}}"
#: Those whose addresses must be tried before those of single rules.
list_routes: list[ActionRoute] = [
    action(_LIST, _on(_create), name="rule.create"),
    action(f"{_LIST}/simulate", _on(_simulate), name="rule.simulate"),
]
routes: list[ActionRoute] = [
    action(_ONE, _on(_update), name="rule.update"),
    action(f"{_ONE}/edit", _on(_edit), name="rule.edit"),
    action(f"{_ONE}/toggle", _on(_toggle), name="rule.toggle"),
    action(f"{_ONE}/move", _on(_move), name="rule.move"),
    action(f"{_ONE}/delete", _on(_delete), name="rule.delete"),
    action(f"{_ONE}/run", _on(_run), name="rule.run"),
]
