"""Sending one message: whether it may be sent, the claim, the provider, what came of it.

Killed between any two of these, it leaves a state from which another job goes on: before the
claim, the action is found again; after it, the claim ends and the message is looked for
(`reconciling`), for the provider may have it; after the outcome, what follows is in the store.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from pymongo.errors import PyMongoError

from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.errors import (
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
)
from pipeline.limits import budgets
from pipeline.metrics import OUTREACH_BUDGET_REFUSALS, OUTREACH_LATE_SECONDS
from pipeline.outreach import actions, channels
from pipeline.outreach.budgets import DOMAIN, of_sender, words
from pipeline.outreach.channels import Outgoing
from pipeline.outreach.sending import outcomes, spreading
from pipeline.outreach.sending.claiming import claim, is_spent
from pipeline.outreach.sending.composing import compose
from pipeline.outreach.sending.errand import Errand, load
from pipeline.outreach.sending.heeding import heed
from pipeline.outreach.sending.objections import Objection, last_objection, objection
from pipeline.stores import Row

logger = logging.getLogger(__name__)


def send(action_id: str, sender_id: str) -> str:
    """Send the message of an action, once, and say in words what came of it.

    Safe to run twice, and two at a time.  Raises Gone if there is no such action, LeaseLost if
    another job has it, Misconfigured once the sender counts as failing, and what stores raise.
    """
    errand = load(action_id)
    if errand is None:
        raise Gone("there is no such action")
    if errand.action.get("sender_id") != sender_id:
        return "it is in the line of another sender by now"
    try:
        against = objection(errand, datetime.now(UTC))
        if against is not None:
            return heed(errand, against)
        outgoing = compose(errand)
    except Permanent as error:  # a field is missing, the time zone is none, …
        return heed(errand, Objection("ends", str(error), status="error", trigger="error"))
    return _take_budget(errand) or _claim_and_send(errand, outgoing)


def _take_budget(errand: Errand) -> str | None:
    """Take what a message needs of every budget; else put it off, and say for which."""
    found = of_sender(errand.sender, errand.tenant, errand.domain)
    refused = budgets.take(found)
    if refused is None:
        return None
    budget = refused.budget
    OUTREACH_BUDGET_REFUSALS.labels(budget.name).inc()
    if budget.name == DOMAIN:
        put_off = spreading.spread(errand.action | {"domain": errand.domain}, budget)
        return f"{words(budget)}: {put_off:,} put off"
    now = datetime.now(UTC)
    until = now + timedelta(seconds=refused.wait_seconds)
    actions.put_back([errand.action["_id"]], until, words(budget), now)
    return f"put off: {words(budget)}"


def _claim_and_send(errand: Errand, outgoing: Outgoing) -> str:
    message = claim(errand, outgoing, datetime.now(UTC))
    try:
        fresh, against = _last_look(errand, message)
    except (HeadraceError, PyMongoError):
        # Who does not know whether it may be sent does not send it.
        outcomes.canceled(errand, message, "it could not be seen whether it may be sent")
        raise
    if against is not None:
        outcomes.canceled(errand, message, against.because)
        return heed(fresh, against)
    late = (message["handed_over_at"] - errand.action["due_at"]).total_seconds()
    OUTREACH_LATE_SECONDS.labels(message["channel"]).observe(max(0.0, late))
    return _hand_over(errand, message, outgoing)


def _last_look(errand: Errand, message: Row) -> tuple[Errand, Objection | None]:
    """Read all anew, and return what speaks against handing the message over."""
    fresh = load(errand.action["_id"])
    if fresh is None:
        raise Gone("there is no such action any more")
    against = last_objection(fresh, datetime.now(UTC))
    return fresh, against or _of_claim(fresh, message, datetime.now(UTC))


def _of_claim(fresh: Errand, message: Row, now: datetime) -> Objection | None:
    """Return what speaks against what was claimed, as it is by now."""
    claimed = (message["sender_id"], message["to_address"])
    if (fresh.sender["_id"], fresh.address) != claimed:
        return Objection("later", "its sender or address has changed", now)
    if is_spent(message, now):
        return Objection("later", "its job was held up for too long", now)
    return None


def _hand_over(errand: Errand, message: Row, outgoing: Outgoing) -> str:
    """Call the provider, and write what it says.

    Any other error leaves the claim as it is: when it ends, the message is looked for.
    """
    try:
        answer = channels.of(errand.sender).send(errand.sender, outgoing)
    except NotTaken as error:
        outcomes.not_taken(errand, message, str(error))
        return "the provider did not take it now"
    except RateLimited as error:
        outcomes.rate_limited(errand, message, error)
        return "the provider has asked to wait"
    except Refused as error:
        outcomes.refused(errand, message, error)
        return "the provider refused it"
    except Misconfigured as error:
        outcomes.misconfigured(errand, message, str(error))
        logger.error("sender failing", extra={"sender_id": errand.sender["_id"]})
        raise
    except Unanswered as error:
        outcomes.unanswered(errand, message, str(error))
        return "no answer: it will be looked whether it was sent"
    outcomes.accepted(errand, message, answer)
    return "sent"
