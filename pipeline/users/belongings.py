"""What there is of a user, in every store: to be counted, and to be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models import (
    AiRequest,
    AiUsage,
    Connection,
    DeadLetter,
    EmailDelivery,
    EmailEvent,
    Execution,
    MailAudit,
    Mailbox,
    Notification,
    Pattern,
    ProjectionLease,
    Record,
    RejectedItem,
    Rule,
    SeenMail,
    SenderIdentity,
    StagedEmail,
    Subscription,
    SyncRun,
    SyncState,
    User,
    WebhookDelivery,
)
from pipeline.jobs import controls
from pipeline.jobs.layout import STATES
from pipeline.jobs.search import Query, Term
from pipeline.jobs.search import search as search_jobs
from pipeline.projections import graph, search
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection
from pipeline.sync import states
from pipeline.users import dry_runs

#: Jobs of a user that are found at once.
_JOBS = 1000
#: What it is called, where it is, and which of it.
_Kind = tuple[str, type[Any], Row]


def left(user_id: str) -> dict[str, int]:
    """Return how much there is of a user, by kind; without what is none."""
    kinds = [*_copy_of(user_id), *_rest_of(user_id)]
    counts = {kind: collection(model).count_documents(query) for kind, model, query in kinds}
    counts["senders that name them"] = collection(SenderIdentity).count_documents(
        {"user_id": user_id}
    )
    counts["AI calls that name them"] = collection(AiUsage).count_documents({"user_id": user_id})
    counts |= {
        "graph nodes": graph.count_nodes(user_id),
        "search documents": search.count(user_id),
        "jobs": len(_jobs_of(user_id)),
    }
    return {kind: count for kind, count in counts.items() if count}


def delete_copy(user_id: str) -> Iterator[tuple[str, int]]:
    """Delete what does not need the provider to answer; yield how much of what it was."""
    # An open transaction of a killed run would hold its state.
    states.release_dead_locks({"user_id": user_id})
    yield from _delete(_copy_of(user_id))


def delete_rest(user_id: str) -> Iterator[tuple[str, int]]:
    """Delete all that is left; yield how much of what it was."""
    yield "graph nodes", _erase_graph(user_id)
    yield "search documents", search.wipe(user_id)
    yield "jobs", _forget_jobs(user_id)
    dry_runs.forget(user_id, list(SOURCES))
    controls.resume(f"user:{user_id}")
    yield "senders that name them", _leave_senders(user_id)
    yield "AI calls that name them", _leave_ai_calls(user_id)
    pushed = collection(Subscription).distinct("_id", {"user_id": user_id})
    deliveries: Row = {"subscription_id": {"$in": pushed}}
    yield from _delete([("webhook deliveries", WebhookDelivery, deliveries), *_rest_of(user_id)])


def _copy_of(user_id: str) -> list[_Kind]:
    """Return the copy; the states first, for without one no run can write."""
    whose: Row = {"user_id": user_id}
    return [
        ("sync states", SyncState, whose),
        *_mail_of(user_id),
        ("records", Record, whose),
        ("rejected items", RejectedItem, whose),
        ("AI requests", AiRequest, whose),
        ("sync runs", SyncRun, whose),
        ("dead letters", DeadLetter, whose),
    ]


def _mail_of(user_id: str) -> list[_Kind]:
    """Return what was learnt and done; the mailboxes first, for without one nothing is."""
    whose: Row = {"user_id": user_id}
    mailboxes = collection(Mailbox).distinct("_id", whose)
    # Of those who observe a user's mailbox, and who work in one.
    leases = [f"mailbox:{user_id}", *(f"mailbox-work:{name}" for name in mailboxes)]
    return [
        ("mailboxes", Mailbox, whose),
        ("mailbox leases", ProjectionLease, {"_id": {"$in": leases}}),
        ("executions", Execution, whose),
        ("staged mails", StagedEmail, whose),
        ("rules", Rule, whose),
        ("patterns", Pattern, whose),
        ("mail events", EmailEvent, whose),
        ("seen mails", SeenMail, whose),
        ("mail audit rows", MailAudit, whose),
        ("notifications", Notification, whose),
        ("mails to the user", EmailDelivery, whose),
    ]


def _rest_of(user_id: str) -> list[_Kind]:
    whose: Row = {"user_id": user_id}
    return [
        ("subscriptions", Subscription, whose),
        ("projection leases", ProjectionLease, {"_id": {"$in": _leases_of(user_id)}}),
        ("connections", Connection, whose),
        ("users", User, {"_id": user_id}),
    ]


def _delete(kinds: list[_Kind]) -> Iterator[tuple[str, int]]:
    for kind, model, query in kinds:
        yield kind, collection(model).delete_many(query).deleted_count


def _leave_senders(user_id: str) -> int:
    """Have no sender look for replies in the user's mail; senders are their tenant's, and stay."""
    nobody = {"$unset": {"user_id": "", "reply_seqs": ""}}
    return collection(SenderIdentity).update_many({"user_id": user_id}, nobody).modified_count


def _leave_ai_calls(user_id: str) -> int:
    """Have no call to AI say whom it was about; what it took and cost is their tenant's."""
    nobody = {"$unset": {"user_id": "", "entity": ""}}
    return collection(AiUsage).update_many({"user_id": user_id}, nobody).modified_count


def _erase_graph(user_id: str) -> int:
    nodes = graph.count_nodes(user_id)
    # Who has ever written has left a lease, and might be at it.
    if nodes or collection(ProjectionLease).find_one({"_id": f"graph:{user_id}"}):
        graph.wipe(user_id, keep_fence=False)
    return nodes


def _leases_of(user_id: str) -> list[str]:
    return [f"graph:{user_id}", f"search:{user_id}"]


def _forget_jobs(user_id: str) -> int:
    """Cancel the jobs of a user and drop them from history; one that runs stays for now."""
    return sum(controls.forget(job) for job in _jobs_of(user_id) if _ended(job))


def _ended(message_id: str) -> bool:
    return controls.cancel(message_id) in ("waiting", "delayed", "completed", "failed")


def _jobs_of(user_id: str) -> list[str]:
    """Return the message ids of a user's jobs that do not run: those cannot be dropped yet."""
    wanted = Query((Term("user", user_id),), states=tuple(s for s in STATES if s != "running"))
    return [job.message_id for job in search_jobs(wanted, limit=_JOBS).jobs]
