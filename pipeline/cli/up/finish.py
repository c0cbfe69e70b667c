"""The end of `headrace up --exit-when-fresh`: what was reached, or what was not and why."""

from __future__ import annotations

import time
from typing import Any

from models import SyncState
from pipeline.cli.up.session import Session
from pipeline.config import settings
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.users.explain import error_text
from pipeline.verify import Verdict, verify

#: Of those that are not fresh, so many are named.
_NAMED = 20
#: A campaign of an earlier run may go on, and get answers into a mailbox at any time.
_LANDS_WITHIN_SECONDS = 3.0


def summary(session: Session, stopped_by: str) -> dict[str, Any]:
    """Return what ran and how far it got; `stopped_by` is fresh, timeout or signal."""
    snapshot = session.watch.newest
    return {
        "stopped_by": stopped_by,
        "users": snapshot.users,
        "records": {source.source: source.records for source in snapshot.sources},
        "rejected": snapshot.total("rejected"),
        "changes": snapshot.landed,
        "graph_behind": snapshot.total("lag"),
        "search_behind": snapshot.search_behind,
        "seconds": round((snapshot.at - session.started_at).total_seconds(), 1),
        "problems": snapshot.problems,
    }


def compared(session: Session) -> dict[str, Any]:
    """Return how many differences there are to the sandbox, None without one, and a few."""
    if not session.has_sandbox:
        return {"differences": None}
    session.events.tell("verify", "comparing every item with the sandbox")
    sandbox = SandboxClient(settings().google_api_base_url)
    try:
        known = collection(SyncState).distinct("user_id")
        users = sorted({user.user for user in sandbox.users()}.intersection(known))
        verdicts = [_verdict(user, sandbox) for user in users]
    finally:
        sandbox.close()
    examples = [f"{v.user_id}: {example}" for v in verdicts for example in v.examples]
    return {
        "verified_users": len(verdicts),
        "differences": sum(verdict.differences - verdict.staging for verdict in verdicts),
        "set_aside": sum(verdict.set_aside for verdict in verdicts),
        "examples": examples[:_NAMED],
    }


def _verdict(user: str, sandbox: SandboxClient) -> Verdict:
    """Compare a user; who differs is compared again, when what has just come in has landed."""
    first = verify(user, sandbox, search=True)
    if not first.differences:
        return first
    time.sleep(_LANDS_WITHIN_SECONDS)
    return verify(user, sandbox, search=True)


def not_fresh(session: Session) -> dict[str, Any]:
    """Return what is not fresh and why: how many sources of users, and the first of them."""
    behind = {
        "$or": [
            {"fresh_as_of": {"$not": {"$gte": session.started_at}}},
            {"projections.graph.due_at": {"$ne": None}},
            {"projections.search.due_at": {"$ne": None}},
        ]
    }
    states = collection(SyncState)
    rows = states.find(behind).sort([("user_id", 1), ("source", 1)]).limit(_NAMED)
    return {
        "not_fresh": states.count_documents(behind),
        "first": [_why(row) for row in rows],
        "processes": [
            {
                "name": state.name,
                "status": state.status,
                "restarts": state.restarts,
                "last_exit_code": state.last_exit_code,
                "last_log_lines": state.last_log_lines[-3:] if state.restarts else [],
            }
            for state in session.supervisor.states()
        ],
    }


def _why(state: dict[str, Any]) -> dict[str, Any]:
    graph, search = (state["projections"].get(name, {}) for name in ("graph", "search"))
    return {
        "user": state["user_id"],
        "source": state["source"],
        "status": state["status"],
        "fresh_as_of": state.get("fresh_as_of"),
        "next_due_at": state.get("next_due_at"),
        "error": error_text(state.get("last_error")),
        "graph_behind": state["seq"] - graph.get("seq", 0),
        "graph_error": error_text(graph.get("error")),
        "search_behind": state["seq"] - search.get("seq", 0),
        "search_error": error_text(search.get("error")),
    }
