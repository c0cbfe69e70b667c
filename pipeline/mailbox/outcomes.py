"""What came of an execution: all that is written of it, in one transaction, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from bson import ObjectId
from pymongo.client_session import ClientSession

from models import MailAudit, Rule
from pipeline.jobs.redaction import masked
from pipeline.mailbox import audit, ledger, notifying, staged_rows
from pipeline.mailbox.checks import rule_of
from pipeline.mailbox.deeds import UNDOABLE
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.running import ALREADY_SO, GONE
from pipeline.metrics import MAIL_EXECUTIONS
from pipeline.stores import Row, collection, mongodb

#: Of so many executions of a rule each is told; the later ones only in summary.
TOLD_ONE_BY_ONE = 3
#: By kind of execution: the audit's action, and what staged mail is then.
_STAGED_OVER = {"execute": ("email_executed", "executed"), "rescue": ("email_rescued", "rescued")}

_Write = Callable[[Row, str, datetime, ClientSession], None]


def finish(hold: Hold, execution: Row, now: datetime) -> None:
    """End an execution whose steps are all over.

    Raises LeaseLost, and writes nothing, if somebody else has claimed it.
    """
    state, reason = _verdict(execution["steps"])

    def transact(session: ClientSession) -> None:
        ledger.close(execution, state, reason, now, session)
        _WRITE[execution["kind"]](execution, state, now, session)

    with mongodb().client.start_session() as session:
        session.with_transaction(transact)
    MAIL_EXECUTIONS.labels(execution["kind"], state).inc()
    execution |= {"state": state, "reason": reason}
    hold.staged += sum(
        s["action_type"] == "stage" and s["state"] == "done" for s in execution["steps"]
    )
    _tell(hold, execution)


def audit_steps(execution: Row) -> list[Row]:
    """Return the steps of an execution as the audit keeps them."""
    return [
        {
            "action": step["action_type"],
            "message_id": execution["message_id"],
            "state": step["state"],
            "before": step.get("before") or {},
            "after": step.get("after") or {},
            "error": step.get("error") or "",
            **{n: step["params"][n] for n in ("return_to", "of") if n in step["params"]},
        }
        for step in execution["steps"]
    ]


def is_achieved(step: Row) -> bool:
    """Return whether the mail is as a step would have it, whoever made it so."""
    return step["state"] == "done" or step.get("error") == ALREADY_SO


def _verdict(steps: Iterable[Row]) -> tuple[str, str]:
    """Return the state of a whole, and why it is not `done`."""
    by_state: dict[str, list[Row]] = {}
    for step in steps:
        by_state.setdefault(step["state"], []).append(step)
    for state in ("failed", "skipped"):
        if state in by_state and ("done" not in by_state or state == "failed"):
            whole = "partial" if "done" in by_state else state
            return whole, str(by_state[state][0].get("error") or "")
    return "done", ""


def _rule_over(execution: Row, state: str, now: datetime, session: ClientSession) -> None:
    """Count and audit what a rule did; close the row of mail that it did not get to stage."""
    staged = next((s for s in execution["steps"] if s["action_type"] == "stage"), None)
    staged_id = staged and staged["params"].get("staged_id")
    if staged and staged_id and staged["state"] != "done":
        became = "failed" if staged["state"] == "failed" else "expired"
        staged_rows.settle_unmoved(staged_id, became, staged.get("error", ""), now, session)
    if state not in ("done", "partial"):
        return
    _count(execution, now, session)
    details = {"staged_id": staged_id} if staged_id else {}
    _audit(execution, "rule_executed", audit.RULE, details, session)
    if staged and staged["state"] == "done":
        alone = execution | {"steps": [staged]}
        _audit(alone, "email_staged", audit.RULE, details, session)


def _staged_over(execution: Row, state: str, now: datetime, session: ClientSession) -> None:
    action, became = _STAGED_OVER[execution["kind"]]
    achieved = execution["kind"] == "rescue" and all(map(is_achieved, execution["steps"]))
    if state == "skipped" and not achieved:
        became = "expired"
    elif state in ("failed", "partial"):
        became = "failed"
    why = str(execution.get("because") or "")
    reason = why if became in ("executed", "rescued") else _verdict(execution["steps"])[1]
    staged_rows.settle(execution["staged_id"], became, reason, now, session)
    if state in ("done", "partial") or achieved:
        details = {"staged_id": execution["staged_id"]} | ({"because": why} if why else {})
        _audit(execution, action, execution["by"], details, session)


def _undo_over(execution: Row, _: str, now: datetime, session: ClientSession) -> None:
    """Write what the undo came to: `undone` only if every step was."""
    audited = {"_id": ObjectId(execution["audit_id"])}
    row: Row = collection(MailAudit).find_one(audited, session=session) or {}
    results = [
        {"step": step["params"]["of"], "state": step["state"], "error": step.get("error") or ""}
        for step in execution["steps"]
    ]
    sent = [
        {"step": number, "state": "failed", "error": "what was sent cannot be taken back"}
        for number, step in enumerate(row.get("steps") or ())
        if step["action"] == "forward" and step["state"] == "done"
    ]
    results += sent
    again = {result["step"] for result in results}
    kept = [r for r in row.get("undo_results") or () if r["step"] not in again]
    complete = not sent and all(map(is_achieved, execution["steps"]))
    undone = {"undone_at": now, "undone_by": execution["by"]} if complete else {}
    collection(MailAudit).update_one(
        audited | {"undo_state": "pending"},
        {
            "$set": undone
            | {
                "undo_state": "undone" if complete else "partial",
                "undo_results": kept + results,
                "updated_at": now,
            }
        },
        session=session,
    )
    if execution.get("staged_id"):
        _settle_undone(execution, now, session)
    details = {"audit_id": execution["audit_id"], "undone": complete}
    _audit(execution, "undo_action", execution["by"], details, session)


def _settle_undone(execution: Row, now: datetime, session: ClientSession) -> None:
    """Write what became of staged mail by the undo that had claimed it."""
    returned = [s for s in execution["steps"] if s["action_type"] == "put_back"]
    became = "rescued" if all(map(is_achieved, returned)) else "failed"
    reason = "" if became == "rescued" else str(returned[0].get("error") or "")
    became = "expired" if reason == GONE else became
    staged_rows.settle(execution["staged_id"], became, reason, now, session)


_WRITE: dict[str, _Write] = {
    "rule": _rule_over,
    "run_now": _rule_over,
    "execute": _staged_over,
    "rescue": _staged_over,
    "undo": _undo_over,
}


def _count(execution: Row, now: datetime, session: ClientSession) -> None:
    collection(Rule).update_one(
        {"_id": ObjectId(execution["rule_id"])},
        {
            "$inc": {"stats.total_executions": 1, "stats.emails_processed": 1},
            "$set": {"stats.last_executed_at": now},
        },
        session=session,
    )


def _audit(execution: Row, action: str, actor: str, details: Row, session: ClientSession) -> None:
    steps = audit_steps(execution)
    could = action in ("rule_executed", "email_staged", "email_executed")
    audit.write(
        execution["user_id"],
        action,
        "email",
        execution["message_id"],
        actor=actor,
        mailbox_id=execution["mailbox_id"],
        details={"rule_id": execution.get("rule_id"), "kind": execution["kind"], **details},
        steps=steps,
        undoable=could and any(s["state"] == "done" and s["action"] in UNDOABLE for s in steps),
        tenant_id=execution["tenant_id"],
        session=session,
    )


def _tell(hold: Hold, execution: Row) -> None:
    """Tell the user what failed, and of a rule's first executions."""
    kind, rule_id = execution["kind"], execution.get("rule_id")
    rule = rule_of(hold, rule_id) or {}
    related = ("rule", str(rule_id)) if rule else None
    # Rules that came of habits are called after whose mail they are for.
    named = f"Rule “{masked(rule['name'])}”" if rule else "A rule"
    if execution["state"] in ("failed", "partial"):
        notifying.notify(
            execution["user_id"],
            "system",
            f"failed:{execution['_id']}",
            _FAILED[kind],
            f"{named}: {execution['reason']}.",
            related=related,
            priority="high",
        )
    runs = int((rule.get("stats") or {}).get("total_executions") or 0)
    if kind != "rule" or execution["state"] != "done":
        return
    if runs > TOLD_ONE_BY_ONE:
        hold.untold += 1
    else:
        notifying.notify(
            execution["user_id"],
            "rule_executed",
            f"rule_executed:{rule_id}:{runs}",
            "A rule was executed",
            f"{named} has acted on a mail. What it did can be undone for two days.",
            related=related,
            priority="low",
        )


_FAILED = {
    "rule": "A rule could not be executed",
    "run_now": "A rule could not be executed",
    "execute": "Staged mail could not be deleted",
    "rescue": "Staged mail could not be returned",
    "undo": "An undo could not be completed",
}
