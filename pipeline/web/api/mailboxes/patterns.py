"""Patterns: habits that were found, and what is decided on them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from pipeline.errors import Gone, Permanent
from pipeline.mailbox.patterns import bulk, lifecycle, suppressing
from pipeline.mailbox.reading import patterns as reading
from pipeline.masking import masked_address
from pipeline.stores import Row
from pipeline.web.api.callers import Caller
from pipeline.web.api.common import Limit, Payload, acting, cursor, stores
from pipeline.web.api.mailboxes.common import (
    MailboxId,
    PatternId,
    Reads,
    Writes,
    mailbox_of,
    reveals,
)
from pipeline.web.api.mailboxes.rules import Days
from pipeline.web.api.mailboxes.simulations import Simulation, simulated
from pipeline.web.api.mailboxes.views import MASKED
from pipeline.web.api.problems import documented, invalid

router = APIRouter(
    prefix="/mailboxes/{mailbox:id}",
    tags=["mail patterns"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)
_ACTS = documented(409)


class EvidenceView(BaseModel):
    """One mail with which the user did so."""

    message_id: str
    timestamp: datetime
    action: str


class PatternView(BaseModel):
    """A habit, how sure it is, and what was said of it."""

    id: str
    pattern_type: str = Field(description="sender or folder-routing.")
    status: str = Field(description="detected, suggested, approved, rejected or expired.")
    confidence: float = Field(description="In percent.")
    sample_size: int = Field(description="Mails that arrived and are settled.")
    exception_count: int = Field(description="With how many its user did something else.")
    sender_email: str | None = Field(description=MASKED)
    sender_domain: str | None
    from_folder: str | None
    action_type: str
    to_folder: str | None = Field(description="Of a move: the id of its folder.")
    category: str | None
    evidence: list[EvidenceView] = Field(description="The newest, at most ten.")
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    suggested_at: datetime | None
    approved_at: datetime | None
    rejected_at: datetime | None
    rejection_cooldown_until: datetime | None
    last_analyzed_at: datetime | None


class PatternList(BaseModel):
    """A page of patterns, the surest first."""

    patterns: list[PatternView]
    next: str | None = Field(description="`cursor` of the next page, None at the end.")


class ApprovalView(BaseModel):
    """A pattern that was approved, and its rule."""

    pattern: PatternView
    rule_id: str | None
    problem: str | None = Field(description="Why there is no rule; approve again to try anew.")


class Customized(Payload):
    """What is to be done instead."""

    action_type: Literal["delete", "move", "archive", "mark_read", "flag", "categorize"]
    to_folder: str | None = Field(default=None, max_length=500, description="For a move: its id.")
    category: str | None = Field(default=None, max_length=255)


class Suppression(Payload):
    """Whose mail is left alone for good."""

    whom: Literal["sender", "domain"] = "sender"


class Suppressed(BaseModel):
    """What was done."""

    rejected: int = Field(description="Open patterns that were rejected for it.")


class PatternBatch(Payload):
    """What is decided on several; what is refused of one does not keep back the others."""

    action: Literal["approve", "reject"]
    action_type: Literal["delete", "mark_read"] | None = Field(
        default=None, description="Of an approval: for all, instead of what each suggests."
    )
    ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] = Field(
        min_length=1, max_length=500
    )


class PatternOutcome(BaseModel):
    """What became of one."""

    pattern_id: str
    outcome: str = Field(description="approved, retargeted, skipped, rejected, refused or failed.")
    why: str | None


class PatternOutcomes(BaseModel):
    """What became of each."""

    outcomes: list[PatternOutcome]


@router.get("/patterns")
def list_patterns(
    caller: Reads,
    mailbox: MailboxId,
    status: Annotated[
        Literal["detected", "suggested", "approved", "rejected", "expired"],
        Query(description="Only patterns of this status."),
    ] = "suggested",
    cursor: Annotated[str | None, cursor(r"^[0-9a-f]{24}$")] = None,
    limit: Limit = 50,
) -> PatternList:
    """List patterns of one status, the surest first."""
    row = mailbox_of(caller, mailbox)
    try:
        found = reading.patterns(row, status, limit + 1, cursor or "")
    except ValueError:
        raise invalid("cursor", "is no place in this list", "give `next` of its page") from None
    shown = [pattern_view(one, reveal=reveals(caller)) for one in found[:limit]]
    return PatternList(patterns=shown, next=shown[-1].id if len(found) > limit else None)


@router.post("/pattern-decisions", responses=_ACTS)
def decide_patterns(
    request: Request, caller: Writes, mailbox: MailboxId, wanted: PatternBatch
) -> PatternOutcomes:
    """Approve or reject several."""
    user_id = mailbox_of(caller, mailbox)["user_id"]
    with acting(request, caller, f"patterns.{wanted.action}", f"mailbox {mailbox}") as row:
        row.details["patterns"] = len(wanted.ids)
        outcomes = _decided(user_id, wanted, caller)
    return PatternOutcomes(outcomes=outcomes)


@router.get("/patterns/{pattern}")
def get_pattern(caller: Reads, mailbox: MailboxId, pattern: PatternId) -> PatternView:
    """Tell of one pattern, with its evidence."""
    row = reading.find(mailbox_of(caller, mailbox), pattern)
    return pattern_view(row, reveal=reveals(caller))


@router.get("/patterns/{pattern}/simulation")
def simulate_pattern(
    caller: Reads, mailbox: MailboxId, pattern: PatternId, days: Days = 90
) -> Simulation:
    """Look up which mail that has arrived its rule would have met; nothing is done."""
    row = mailbox_of(caller, mailbox)
    conditions = reading.conditions_of(reading.find(row, pattern))
    return simulated(row["user_id"], conditions, days, reveal=reveals(caller))


@router.post("/patterns/{pattern}/approve", responses=_ACTS)
def approve_pattern(
    request: Request, caller: Writes, mailbox: MailboxId, pattern: PatternId
) -> ApprovalView:
    """Have a rule do from now on what the user does."""
    user_id = _known(caller, mailbox, pattern)
    with acting(request, caller, "pattern.approve", _target(mailbox, pattern)):
        approved = lifecycle.approve(user_id, pattern, by=caller.actor)
    return _approval(approved, reveal=reveals(caller))


@router.post("/patterns/{pattern}/customize", responses=_ACTS)
def customize_pattern(
    request: Request, caller: Writes, mailbox: MailboxId, pattern: PatternId, wanted: Customized
) -> ApprovalView:
    """Approve it with another action, or give its rule another one."""
    user_id = _known(caller, mailbox, pattern)
    with acting(request, caller, "pattern.customize", _target(mailbox, pattern)):
        approved = lifecycle.customize(user_id, pattern, **wanted.model_dump(), by=caller.actor)
    return _approval(approved, reveal=reveals(caller))


@router.post("/patterns/{pattern}/unapprove", responses=_ACTS)
def unapprove_pattern(
    request: Request, caller: Writes, mailbox: MailboxId, pattern: PatternId
) -> PatternView:
    """Take an approval back: its rule is deleted, and it is a suggestion again."""
    user_id = _known(caller, mailbox, pattern)
    with acting(request, caller, "pattern.unapprove", _target(mailbox, pattern)):
        row = lifecycle.unapprove(user_id, pattern, by=caller.actor)
    return pattern_view(row, reveal=reveals(caller))


@router.post("/patterns/{pattern}/reject", responses=_ACTS)
def reject_pattern(
    request: Request, caller: Writes, mailbox: MailboxId, pattern: PatternId
) -> PatternView:
    """Have it not suggested again until the cooldown of its user has passed."""
    user_id = _known(caller, mailbox, pattern)
    with acting(request, caller, "pattern.reject", _target(mailbox, pattern)):
        row = lifecycle.reject(user_id, pattern, by=caller.actor)
    return pattern_view(row, reveal=reveals(caller))


@router.post("/patterns/{pattern}/suppress", responses=_ACTS)
def suppress_pattern(
    request: Request, caller: Writes, mailbox: MailboxId, pattern: PatternId, wanted: Suppression
) -> Suppressed:
    """Put its sender or domain on the whitelist: nothing is done to such mail, or suggested."""
    user_id = _known(caller, mailbox, pattern)
    with acting(request, caller, "pattern.suppress", _target(mailbox, pattern), whom=wanted.whom):
        count = suppressing.suppress(user_id, pattern, wanted.whom, by=caller.actor)
    return Suppressed(rejected=count)


def _known(caller: Caller, mailbox_id: str, pattern_id: str) -> str:
    """Return the user of a pattern.  Raises Refused 404, Gone."""
    row = mailbox_of(caller, mailbox_id)
    reading.find(row, pattern_id)
    return str(row["user_id"])


def _target(mailbox_id: str, pattern_id: str) -> str:
    return f"mailbox {mailbox_id}, pattern {pattern_id}"


def _decided(user_id: str, wanted: PatternBatch, caller: Caller) -> list[PatternOutcome]:
    if wanted.action == "reject":
        return [_rejected(user_id, one, caller) for one in dict.fromkeys(wanted.ids)]
    found = bulk.approve_many(user_id, wanted.ids, by=caller.actor, action_type=wanted.action_type)
    return [PatternOutcome(**asdict(one)) for one in found]


def _rejected(user_id: str, pattern_id: str, caller: Caller) -> PatternOutcome:
    try:
        lifecycle.reject(user_id, pattern_id, by=caller.actor)
    except (Gone, Permanent) as error:
        return PatternOutcome(pattern_id=pattern_id, outcome="refused", why=str(error))
    return PatternOutcome(pattern_id=pattern_id, outcome="rejected", why=None)


def _approval(approved: lifecycle.Approved, *, reveal: bool) -> ApprovalView:
    return ApprovalView(
        pattern=pattern_view(approved.pattern, reveal=reveal),
        rule_id=approved.rule_id,
        problem=approved.problem,
    )


def pattern_view(row: Row, *, reveal: bool) -> PatternView:
    """Return what is told of a pattern."""
    condition, suggested = row.get("condition") or {}, row["suggested_action"]
    same = ("pattern_type", "status", "confidence", "sample_size", "first_seen_at", "last_seen_at")
    times = ("suggested_at", "approved_at", "rejected_at", "rejection_cooldown_until")
    kept: dict[str, Any] = {n: row.get(n) for n in (*same, *times, "last_analyzed_at")}
    email = condition.get("sender_email")
    return PatternView(
        **kept,
        id=str(row["_id"]),
        exception_count=row.get("exception_count") or 0,
        sender_email=email if reveal else masked_address(email) or None,
        sender_domain=condition.get("sender_domain"),
        from_folder=condition.get("from_folder"),
        action_type=suggested["action_type"],
        to_folder=suggested.get("to_folder"),
        category=suggested.get("category"),
        evidence=[
            EvidenceView(**{n: one[n] for n in ("message_id", "timestamp", "action")})
            for one in row.get("evidence") or ()
        ],
    )
