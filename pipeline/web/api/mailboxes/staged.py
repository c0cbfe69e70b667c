"""Mail that waits to be deleted: rescue it, or do it at once; and undoing what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from models.mail_audit import MAIL_AUDIT_ACTIONS
from pipeline.jobs.redaction import masked
from pipeline.mailbox import audit, staging, undo, warning
from pipeline.mailbox.reading.folders import paths
from pipeline.mailbox.reading.staged import page
from pipeline.mailbox.reading.steps import scalars, undone_step
from pipeline.mailbox.staging import Outcome
from pipeline.stores import Row
from pipeline.web.api.common import Limit, Payload, acting, cursor, stores
from pipeline.web.api.mailboxes.common import (
    AuditId,
    MailboxId,
    PlaceCursor,
    Reads,
    StagedId,
    Writes,
    mailbox_of,
    place_of,
    reveals,
)
from pipeline.web.api.mailboxes.views import HIDDEN, SenderView, sender_view
from pipeline.web.api.problems import documented, invalid

router = APIRouter(
    prefix="/mailboxes/{mailbox:id}",
    tags=["staged mail"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)
_ACTS = documented(409)


class StagedView(BaseModel):
    """One mail that a rule is, or was, about to delete."""

    id: str
    message_id: str
    rule_id: str
    status: str = Field(
        description="staged, executing, rescuing, executed, rescued, expired or failed."
    )
    sender: SenderView
    subject: str | None = Field(description=HIDDEN)
    original_folder: str = Field(description="The id of the folder that it came from.")
    original_path: str | None = Field(description="None if that folder is gone.")
    actions: list[str] = Field(description="What is done when its time has come.")
    staged_at: datetime
    expires_at: datetime = Field(description="When that is.")
    executed_at: datetime | None
    rescued_at: datetime | None
    error: str | None


class StagedList(BaseModel):
    """A page of staged mail, in the order of the list."""

    staged: list[StagedView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class OutcomeView(BaseModel):
    """What became of one staged mail."""

    id: str
    status: str = Field(description="Its status now; `refused` if it was left as it was.")
    reason: str | None = Field(description="Why it is not what was asked for.")


class OutcomeList(BaseModel):
    """What became of each."""

    outcomes: list[OutcomeView]


class Batch(Payload):
    """What to do with several; what is refused of one does not keep back the others."""

    action: Literal["rescue", "execute"]
    ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] = Field(
        min_length=1, max_length=200
    )


class StepView(BaseModel):
    """One step of an act, or of its undo."""

    action: str
    state: str
    error: str | None


class AuditView(BaseModel):
    """One act that concerned a user's mail."""

    id: str
    action: str
    target_type: str
    target_id: str | None
    actor: str
    details: dict[str, str]
    steps: list[StepView]
    may_undo: bool
    undo_state: str | None = Field(description="pending, partial or undone.")
    undo_results: list[StepView]
    undone_at: datetime | None
    undone_by: str | None
    created_at: datetime


class AuditList(BaseModel):
    """A page of acts, the newest first."""

    entries: list[AuditView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


@router.get("/staged")
def list_staged(
    caller: Reads,
    mailbox: MailboxId,
    status: Annotated[
        Literal["staged", "executed", "rescued", "expired", "failed"],
        Query(description="What became of it; `staged` has what is under way, too."),
    ] = "staged",
    cursor: PlaceCursor = None,
    limit: Limit = 50,
) -> StagedList:
    """List staged mail: what waits soonest due first, what is over as it was staged, last first.

    To list what waits counts as its user's look: nobody is warned that it was not looked at.
    """
    row = mailbox_of(caller, mailbox)
    shown, after = page(row, status, limit, place_of(cursor))
    if status == "staged":
        warning.looked(row)
    folders = paths(row["user_id"])
    told = [_staged_view(one, folders, reveal=reveals(caller)) for one in shown]
    return StagedList(staged=told, next=after or None)


@router.post("/staged/{staged}/rescue", responses=_ACTS, dependencies=[stores("redis")])
def rescue_mail(
    request: Request, caller: Writes, mailbox: MailboxId, staged: StagedId
) -> OutcomeView:
    """Put a staged mail back where it was."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "staged.rescue", f"mailbox {mailbox}, staged {staged}"):
        return _outcome(staging.rescue(user_id, staged, caller.actor))


@router.post("/staged/{staged}/execute", responses=_ACTS, dependencies=[stores("redis")])
def execute_mail(
    request: Request, caller: Writes, mailbox: MailboxId, staged: StagedId
) -> OutcomeView:
    """Do at once what a staged mail waits for."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "staged.execute", f"mailbox {mailbox}, staged {staged}"):
        return _outcome(staging.execute_now(user_id, staged, caller.actor))


@router.post("/staged-decisions", responses=_ACTS, dependencies=[stores("redis")])
def settle_staged(
    request: Request, caller: Writes, mailbox: MailboxId, wanted: Batch
) -> OutcomeList:
    """Rescue or execute several."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    act = staging.rescue_many if wanted.action == "rescue" else staging.execute_many
    with acting(request, caller, f"staged.{wanted.action}_many", f"mailbox {mailbox}") as row:
        outcomes = act(user_id, wanted.ids, caller.actor)
        row.details["mails"] = len(outcomes)
    return OutcomeList(outcomes=[_outcome(one) for one in outcomes])


@router.get("/audit")
def list_audit(
    caller: Reads,
    mailbox: MailboxId,
    action: Annotated[
        str | None,
        Query(description="Only such acts.", json_schema_extra={"enum": [*MAIL_AUDIT_ACTIONS]}),
    ] = None,
    cursor: Annotated[str | None, cursor(r"^[0-9a-f]{24}$")] = None,
    limit: Limit = 50,
) -> AuditList:
    """List what was done to the mail, rules and patterns of the mailbox's user."""
    if action not in (None, *MAIL_AUDIT_ACTIONS):
        raise invalid("action", "is none of those that there are", f"give {MAIL_AUDIT_ACTIONS[0]}")
    user_id = mailbox_of(caller, mailbox)["user_id"]
    found = audit.listed(user_id, action=action or "", before=cursor or "", limit=limit + 1)
    shown, now = found[:limit], datetime.now(UTC)
    after = str(shown[-1]["_id"]) if len(found) > limit else None
    return AuditList(entries=[_audit_view(row, now) for row in shown], next=after)


@router.post("/audit/{entry}/undo", responses=_ACTS, dependencies=[stores("redis")])
def undo_act(request: Request, caller: Writes, mailbox: MailboxId, entry: AuditId) -> AuditView:
    """Take back what was done, the last step first; what cannot be stays, and is told."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, "mail_audit.undo", f"mailbox {mailbox}, audit {entry}") as row:
        row.details["state"] = undo.undo(user_id, entry, caller.actor).state
    return _audit_view(audit.find(user_id, entry), datetime.now(UTC))


def _staged_view(row: Row, folders: dict[str, str], *, reveal: bool) -> StagedView:
    same = ("message_id", "rule_id", "status", "original_folder", "staged_at", "expires_at")
    later = ("executed_at", "rescued_at", "error")
    kept: dict[str, Any] = {name: row.get(name) for name in (*same, *later)}
    return StagedView(
        **kept,
        id=str(row["_id"]),
        sender=sender_view(row, reveal=reveal),
        subject=row.get("subject") if reveal else None,
        original_path=folders.get(row["original_folder"]),
        actions=[action["action_type"] for action in row.get("actions") or ()],
    )


def _outcome(outcome: Outcome) -> OutcomeView:
    return OutcomeView(id=outcome.staged_id, status=outcome.status, reason=outcome.reason or None)


def _audit_view(row: Row, now: datetime) -> AuditView:
    same = ("action", "target_type", "target_id", "undo_state", "undone_at", "created_at")
    kept: dict[str, Any] = {name: row.get(name) for name in same}
    return AuditView(
        **kept,
        id=str(row["_id"]),
        actor=masked(str(row["actor"])),
        details=dict(scalars(row.get("details") or {})),
        steps=[_step(step) for step in row.get("steps") or ()],
        may_undo=undo.why_not_undoable(row, now) is None,
        undo_results=[
            StepView(
                action=undone_step(result, row.get("steps") or ()),
                state=str(result.get("state") or "done"),
                error=result.get("error") or None,
            )
            for result in row.get("undo_results") or ()
        ],
        undone_by=masked(str(row["undone_by"])) if row.get("undone_by") else None,
    )


def _step(row: Row) -> StepView:
    return StepView(
        action=str(row.get("action") or row.get("action_type") or ""),
        state=str(row.get("state") or "done"),
        error=row.get("error") or None,
    )
