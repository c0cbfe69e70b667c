"""Finding out what became of messages of which nobody knows whether they were sent.

The provider is asked, at growing intervals; an event of the message proves it, too (`proof`).
If neither tells for OUTREACH_UNKNOWN_HOURS, the message waits for a person.  It is sent again
only when it is certain that it was not sent, and not for ever by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from pymongo import ASCENDING
from pymongo.client_session import ClientSession

from models import OutboundMessage, SenderIdentity
from pipeline.audit import noted
from pipeline.config import settings
from pipeline.dispatch import send_many
from pipeline.errors import Gone, Misconfigured, Permanent, RateLimited, Transient
from pipeline.jobs.sending import Send
from pipeline.metrics import OUTREACH_MESSAGES
from pipeline.outreach import channels
from pipeline.outreach.advancing import Wake, advance
from pipeline.outreach.channels import Absent, Found, Unsure
from pipeline.outreach.promoting import nudge
from pipeline.outreach.sending import ledger
from pipeline.outreach.sending.outcomes import FIRST_ASK, MOST_ATTEMPTS, set_actions
from pipeline.outreach.sending.proof import proven
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection
from pipeline.words import counted

#: One tick queues no more: the next one goes on.
MOST_AT_ONCE = 5000
#: The provider is asked at least so often, while it is asked.
LONGEST_WAIT = timedelta(hours=1)
_LOST = "its job has ended without a word"


def tick() -> str:
    """Queue a job for every message that is to be looked for.  Safe to run twice."""
    found = islice(_due(datetime.now(UTC)), MOST_AT_ONCE)
    sent = send_many(
        Send("reconcile_message", (row["_id"],), tenant_id=row["tenant_id"]) for row in found
    )
    return f"{counted(len(sent), 'message')} to look for"


def reconcile(message_id: str) -> str:
    """Find out what became of a message, as far as that can be.  Safe to run twice.

    Raises Gone if there is no such message.
    """
    message = collection(OutboundMessage).find_one({"_id": message_id})
    if message is None:
        raise Gone("there is no such message")
    now = datetime.now(UTC)
    if message["state"] == "sending" and message["lease_until"] <= now:
        message = _give_up_on(message, now)
    due_at = message.get("reconcile_due_at")
    if message["state"] != "unknown" or due_at is None or due_at > now:
        return f"nothing to look for: it is {message['state']}"
    # Whatever becomes of this job, the next one has its time.
    ledger.write(message, {"$set": {"reconcile_due_at": _next_ask(message, now)}})
    return _heed(message, _asked(message), now)


def resolve(tenant_id: str, message_id: str, *, sent: bool, by: str) -> None:
    """Settle by a person's word whether an unknown message was sent.

    One that was not is sent again.  Raises Gone, Permanent if its state is known.
    """
    with noted(by, "message.resolve", f"message {message_id}", sent=sent):
        message = collection(OutboundMessage).find_one({"_id": message_id, "tenant_id": tenant_id})
        if message is None:
            raise Gone("there is no such message")
        if message["state"] != "unknown":
            raise Permanent(f"it is {message['state']}: only what is unknown is to be settled")
        if sent:
            _found(message, message["handed_over_at"], f"{by} has said that it was sent")
        else:
            _absent(message, f"{by} has said that it was not sent")


def unknown_messages() -> dict[tuple[str, ...], int]:
    """Return how many messages are unknown, by what they wait for: to be looked up, or a person."""
    since = {"state": "unknown", "handed_over_at": {"$gt": datetime.fromtimestamp(0, UTC)}}
    stages: list[Row] = [
        {"$match": since},
        {"$group": {"_id": {"$gt": ["$reconcile_due_at", None]}, "count": {"$sum": 1}}},
    ]
    counts = {"looked_up": 0, "person": 0}
    for row in collection(OutboundMessage).aggregate(stages):
        counts["looked_up" if row["_id"] else "person"] = row["count"]
    return {(waits_for,): count for waits_for, count in counts.items()}


def _due(now: datetime) -> Iterator[Row]:
    """Yield the messages whose claim has ended, and those that are to be asked for, in order."""
    fields = {"tenant_id": 1}
    ended = {"state": "sending", "lease_until": {"$lte": now}}
    yield from collection(OutboundMessage).find(ended, fields).sort("lease_until", ASCENDING)
    asked = {"reconcile_due_at": {"$lte": now}}
    yield from collection(OutboundMessage).find(asked, fields).sort("reconcile_due_at", ASCENDING)


def _give_up_on(message: Row, now: datetime) -> Row:
    """Take a message from whoever claimed it and was not heard of since.

    Raises LeaseLost if they were heard of.
    """
    if message.get("handed_over_at") is None:
        _absent(message, _LOST)
        return {**message, "state": "retryable"}

    def work(session: ClientSession) -> None:
        ledger.unknown(message, _LOST, now, now, session)
        set_actions(message, "error", _LOST, now, session)

    transaction(work)
    _count(message, "unknown")
    return {**message, "state": "unknown", "reconcile_due_at": now}


def _asked(message: Row) -> Found | Absent | Unsure:
    """Ask the provider for a message."""
    if not message.get("to_address"):
        return Unsure("its contact was forgotten")
    key = {"_id": message["sender_id"], "tenant_id": message["tenant_id"]}
    sender = collection(SenderIdentity).find_one(key)
    if sender is None or sender["provider"] != message["provider"]:
        return Unsure("its sender is not there any more")
    try:
        return channels.of(sender).lookup(sender, message)
    except (Transient, RateLimited, Misconfigured, Permanent) as error:
        return Unsure(str(error))


def _heed(message: Row, answer: Found | Absent | Unsure, now: datetime) -> str:
    provider = message["provider"]
    match answer:
        case Found(provider_id, at):
            _found(message, at, f"{provider} has it", provider_id)
            return "it was sent"
        case Absent() if message["attempts"] >= MOST_ATTEMPTS:
            because = f"{provider} has not taken it, and it was tried {message['attempts']} times"
            return _leave(message, because, now)
        case Absent():
            _absent(message, f"{provider} has not taken it")
            return "it was not sent: it is sent again"
        case Unsure(because):
            return _wait(message, because, now)


def _wait(message: Row, because: str, now: datetime) -> str:
    """Say why it is looked for again; in the end, leave it to a person."""
    if now - message["handed_over_at"] < timedelta(hours=settings().outreach_unknown_hours):
        said = f"{because}; it is looked for again"
        ledger.write(message, {"$set": {"reconciliation": said, "updated_at": now}})
        return because
    return _leave(message, because, now)


def _leave(message: Row, because: str, now: datetime) -> str:
    """Have a person say what became of a message; nobody looks for it any more."""
    said = f"{because}; a person has to say whether it was sent"
    over = {"$unset": {"reconcile_due_at": ""}}
    ledger.write(message, {"$set": {"reconciliation": said, "updated_at": now}} | over)
    return "it is left to a person"


def _next_ask(message: Row, now: datetime) -> datetime:
    """Return when to ask again: the longer it is ago, the later."""
    age: timedelta = now - message["handed_over_at"]
    return now + min(max(age, FIRST_ASK), LONGEST_WAIT)


def _found(message: Row, at: datetime, how: str, provider_id: str = "") -> None:
    def work(session: ClientSession) -> Wake:
        enrollment_ids = proven(session, {message["_id"]: at}, how)
        if provider_id:
            collection(OutboundMessage).update_one(
                {"_id": message["_id"]}, {"$set": {"provider_id": provider_id}}, session=session
            )
        return advance(session, enrollment_ids, datetime.now(UTC))

    nudge(transaction(work))
    _count(message, "found")


def _absent(message: Row, how: str) -> None:
    """Have a message that was not sent be sent, if its contact is still there."""
    now = datetime.now(UTC)

    def work(session: ClientSession) -> Wake:
        ledger.not_sent(message, "retryable", _LOST, now, session, reconciliation=how)
        # What is canceled is taken up again, if it is for where the contact is.
        set_actions(message, "canceled", how, now, session)
        return advance(session, [message["enrollment_id"]], now)

    nudge(transaction(work))
    _count(message, "absent")


def _count(message: Row, outcome: str) -> None:
    OUTREACH_MESSAGES.labels(message["channel"], message["provider"], outcome).inc()
