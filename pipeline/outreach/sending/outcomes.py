"""What comes of a claimed message: written in one transaction with all that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import backoff
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from models import ScheduledAction, SenderIdentity
from models.outreach import ACTION_OPEN
from pipeline.config import settings
from pipeline.errors import RateLimited
from pipeline.metrics import OUTREACH_MESSAGES
from pipeline.outreach import actions, enrollments, suppressions
from pipeline.outreach.advancing import Wake, advance
from pipeline.outreach.channels import Accepted, Refused
from pipeline.outreach.promoting import nudge
from pipeline.outreach.sending import ledger
from pipeline.outreach.sending.errand import Errand
from pipeline.outreach.sending.objections import LOOK_AGAIN
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

#: What a provider has not taken so often, each time in passing, has failed.
MOST_ATTEMPTS = 6
#: An unknown message is asked for the first time after so long.
FIRST_ASK = timedelta(minutes=1)
#: For so long it is tried to write what a provider has answered: else nobody would know it.
_FIRMLY_SECONDS = 45


def accepted(errand: Errand, message: Row, answer: Accepted) -> None:
    """Write that the provider has taken the message."""
    now = datetime.now(UTC)
    known = {"provider_id": answer.provider_id} if answer.provider_id else {}

    def work(session: ClientSession) -> Wake:
        ledger.sent(message, now, now, session, **known)
        close_action(errand.action["_id"], "completed", now, session)
        return advance(session, [errand.action["enrollment_id"]], now)

    _settle(message, "sent", work)


def not_taken(errand: Errand, message: Row, why: str) -> None:
    """Have a message that was certainly not sent tried again later, or give it up."""
    now = datetime.now(UTC)
    if message["attempts"] >= MOST_ATTEMPTS:
        failed(errand, message, f"{why}; it was tried {message['attempts']} times")
        return
    later = now + timedelta(seconds=settings().outreach_retry_seconds) * message["attempts"]
    because = f"the provider did not take it: {why}"
    _try_later(errand, message, "retried", because, later)


def rate_limited(errand: Errand, message: Row, error: RateLimited) -> None:
    """Have all of the sender's messages wait until the provider takes some again."""
    until = datetime.now(UTC) + timedelta(seconds=max(1.0, error.retry_after_seconds))
    _change_sender(errand, {"$max": {"hold_until": until}})
    because = "the provider has asked its sender to wait"
    _try_later(errand, message, "rate_limited", because, until, free=True)


def misconfigured(errand: Errand, message: Row, why: str) -> None:
    """Have the sender send nothing more until it was verified anew."""
    fresh = {"status": "failing", "status_reason": why, "updated_at": datetime.now(UTC)}
    _change_sender(errand, {"$set": fresh}, status="verified")
    later = datetime.now(UTC) + LOOK_AGAIN
    _try_later(errand, message, "misconfigured", "its sender is failing", later, free=True)


def canceled(errand: Errand, message: Row, why: str) -> None:
    """Write that a claimed message was not handed over."""
    now = datetime.now(UTC)

    def work(session: ClientSession) -> Wake:
        ledger.not_sent(message, "canceled", why, now, session, free=True)
        key = {"_id": errand.action["_id"], "status": {"$in": list(ACTION_OPEN)}}
        touch = {"$set": {"updated_at": now}}  # in the way of whoever cancels it at this moment
        is_open = collection(ScheduledAction).update_one(key, touch, session=session).matched_count
        return Wake() if is_open else _take_up(message, why, now, session)

    _settle(message, "canceled", work)


def refused(errand: Errand, message: Row, error: Refused) -> None:
    """Give up a message that the provider refuses; write to its address no more if that is why."""
    failed(errand, message, str(error), _suppression(error))


def failed(errand: Errand, message: Row, why: str, reason: str = "") -> None:
    """Give up a message, and the enrollment; for a `reason` its address is suppressed."""
    now = datetime.now(UTC)

    def work(session: ClientSession) -> Wake:
        ledger.not_sent(message, "failed", why, now, session)
        close_action(errand.action["_id"], "error", now, session, why)
        wake = _suppress(errand, message, reason, session) if reason else Wake()
        return wake | enrollments.error(session, errand.enrollment, why)

    _settle(message, "failed", work)


def unanswered(errand: Errand, message: Row, why: str) -> None:
    """Write that it is not known whether the message was sent: the enrollment waits for that."""
    now = datetime.now(UTC)

    def work(session: ClientSession) -> Wake:
        ledger.unknown(message, why, now + FIRST_ASK, now, session)
        close_action(errand.action["_id"], "error", now, session, why)
        return Wake()

    _settle(message, "unknown", work)


def close_action(
    action_id: str, status: str, now: datetime, session: ClientSession, because: str = ""
) -> None:
    """End the action of a message, unless it has ended already."""
    is_open = {"_id": action_id, "status": {"$in": list(ACTION_OPEN)}}
    fresh = actions.over(status, now, because)
    collection(ScheduledAction).update_one(is_open, {"$set": fresh}, session=session)


def set_actions(
    message: Row, status: str, because: str, now: datetime, session: ClientSession
) -> None:
    """Set aside what is scheduled for a message."""
    of_message = {
        "enrollment_id": message["enrollment_id"],
        "status": {"$in": [*ACTION_OPEN, "error"]},
        "kind": "send",
        "node_id": message["node_id"],
    }
    fresh = actions.over(status, now, because)
    collection(ScheduledAction).update_many(of_message, {"$set": fresh}, session=session)


def _try_later(
    errand: Errand, message: Row, outcome: str, why: str, due_at: datetime, *, free: bool = False
) -> None:
    now = datetime.now(UTC)

    def work(session: ClientSession) -> Wake:
        ledger.not_sent(message, "retryable", why, now, session, free=free)
        if actions.put_back([errand.action["_id"]], due_at, why, now, session):
            return Wake()
        wake = _take_up(message, why, now, session)
        actions.put_back(_waiting(message, session), due_at, why, now, session)
        return wake

    _settle(message, outcome, work)


def _take_up(message: Row, why: str, now: datetime, session: ClientSession) -> Wake:
    """Schedule a message anew whose action is over although it was not sent, if it may be sent.

    It was paused and resumed while it was claimed, or the claim had ended before the answer came.
    """
    set_actions(message, "canceled", why, now, session)
    return advance(session, [message["enrollment_id"]], now)


def _waiting(message: Row, session: ClientSession) -> list[str]:
    """Return the actions that are to send a message."""
    waits = {"enrollment_id": message["enrollment_id"], "status": "pending", "kind": "send"}
    found = collection(ScheduledAction).find(waits, {"_id": 1}, session=session)
    return [str(row["_id"]) for row in found]


def _settle(message: Row, outcome: str, work: Callable[[ClientSession], Wake]) -> None:
    """Write an outcome, although the store may be away for a moment."""
    firmly = backoff.on_exception(
        backoff.expo, PyMongoError, max_time=_FIRMLY_SECONDS, max_value=5, jitter=None
    )
    wake: Wake = firmly(transaction)(work)
    _count(message, outcome)
    nudge(wake)


def _change_sender(errand: Errand, update: Row, **unless: str) -> None:
    key = {"_id": errand.sender["_id"], "tenant_id": errand.action["tenant_id"]}
    collection(SenderIdentity).update_one(key | unless, update)


def _suppression(error: Refused) -> str:
    if error.is_opt_out:
        return "unsubscribed"
    return "invalid" if error.is_address else ""


def _suppress(errand: Errand, message: Row, reason: str, session: ClientSession) -> Wake:
    row = errand.action
    return suppressions.suppress(
        session,
        row["tenant_id"],
        row["channel"],
        message["to_address"],
        reason=reason,
        source=message["provider"],
        campaign_id=row["campaign_id"],
        contact_id=row["contact_id"],
        message_id=message["_id"],
    )


def _count(message: Row, outcome: str) -> None:
    OUTREACH_MESSAGES.labels(message["channel"], message["provider"], outcome).inc()
