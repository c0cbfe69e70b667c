"""What there is in a mailbox: events, patterns, rules, staged mail, and what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.exits import WrongUse
from pipeline.cli.mailboxes.app import app
from pipeline.cli.mailboxes.finding import Limit, Reveal, Whose, mailbox_of, opened
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, age, console, duration, examples, print_json, table

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.stores import Row

_STAGED = ("staged", "executed", "rescued", "expired", "failed")


@app.command(
    epilog=examples(
        "headrace mailboxes events ada",
        "headrace mailboxes events ada --type moved --domain shop.example",
        "headrace mailboxes events ada --reveal --json",
    )
)
def events(
    whose: Whose,
    *,
    event_type: Annotated[str, typer.Option("--type", help="Only of this type.")] = "",
    domain: Annotated[str, typer.Option(help="Only from senders of this domain.")] = "",
    message: Annotated[str, typer.Option(help="Only of the mail with this id.")] = "",
    limit: Limit = 50,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """What happened to the mail of a mailbox, the newest first."""
    from models.email_event import EVENT_TYPES
    from pipeline.mailbox.reading import events as reading

    if event_type:
        _require("--type", event_type, EVENT_TYPES)
    mailbox, folders = opened(whose, "events", by, reveal=reveal)
    wanted = reading.Wanted(event_type, domain, message)
    found = [_event(row, folders, reveal=reveal) for row in reading.events(mailbox, wanted, limit)]
    if as_json:
        print_json({"events": found})
        return
    now = datetime.now(UTC)
    rows = [
        (
            age(one["at"], now),
            one["type"],
            one["sender"],
            " → ".join(filter(None, (one["from"], one["to"]))),
            duration(one["seconds"]) if one["seconds"] is not None else None,
            "rule" if one["rule"] else None,
            *([one["subject"]] if reveal else []),
        )
        for one in found
    ]
    columns = (
        "when",
        "what",
        "from whom",
        "where",
        "after",
        "by",
        *(["subject"] if reveal else []),
    )
    console().print(table(None, columns, rows))


def _event(row: Row, folders: dict[str, str], *, reveal: bool) -> dict[str, Any]:
    from pipeline.mailbox.reading.names import sender_of

    told = {
        "at": row["timestamp"],
        "type": row["event_type"],
        "message": row["message_id"],
        "sender": sender_of(row, reveal=reveal),
        "from": folders.get(row.get("from_folder") or ""),
        "to": folders.get(row.get("to_folder") or ""),
        "seconds": row.get("time_to_action"),
        "rule": (row.get("metadata") or {}).get("automated_by_rule"),
    }
    return told | ({"subject": row.get("subject")} if reveal else {})


@app.command(
    epilog=examples(
        "headrace mailboxes patterns ada", "headrace mailboxes patterns ada --status approved"
    )
)
def patterns(
    whose: Whose,
    *,
    status: Annotated[
        str, typer.Option(help="detected, suggested, approved, rejected or expired.")
    ] = "suggested",
    limit: Limit = 50,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Habits that were found, the surest first."""
    from models.pattern import PATTERN_STATUSES
    from pipeline.mailbox.reading import patterns as reading

    _require("--status", status, PATTERN_STATUSES)
    mailbox, folders = opened(whose, "patterns", by, reveal=reveal)
    found = [
        _pattern(row, folders, reveal=reveal) for row in reading.patterns(mailbox, status, limit)
    ]
    if as_json:
        print_json({"patterns": found})
        return
    rows = [
        (o["id"], o["sender"], o["does"], f"{o['confidence']:.1f}%", o["mails"], o["exceptions"])
        for o in found
    ]
    columns = ("id", "mail of", "does", "confidence", "mails", "exceptions")
    console().print(table(None, columns, rows))


def _pattern(row: Row, folders: dict[str, str], *, reveal: bool) -> dict[str, Any]:
    from pipeline.mailbox.reading.words import action_in_words
    from pipeline.masking import masked_address

    email = (row.get("condition") or {}).get("sender_email") or ""
    return {
        "id": str(row["_id"]),
        "type": row["pattern_type"],
        "status": row["status"],
        "sender": email if reveal else masked_address(email),
        "does": action_in_words(row["suggested_action"], folders),
        "confidence": row["confidence"],
        "mails": row["sample_size"],
        "exceptions": row.get("exception_count") or 0,
        "last_seen_at": row.get("last_seen_at"),
    }


@app.command(epilog=examples("headrace mailboxes rules ada", "headrace mailboxes rules ada --json"))
def rules(whose: Whose, *, reveal: Reveal = False, by: By = None, as_json: AsJson = False) -> None:
    """The rules of a mailbox in their order: the first that is on and fits acts."""
    from pipeline.mailbox import rules as service

    mailbox, folders = opened(whose, "rules", by, reveal=reveal)
    found = [
        _rule(row, folders, reveal=reveal)
        for row in service.listed(mailbox["user_id"], mailbox["_id"])
    ]
    if as_json:
        print_json({"rules": found})
        return
    rows = [
        (o["id"], o["name"], ", ".join(o["for"]), ", ".join(o["does"]), o["on"], o["done"])
        for o in ({**one, "on": "on" if one["enabled"] else "off"} for one in found)
    ]
    console().print(table(None, ("id", "rule", "for mail", "does", "is", "done"), rows))


def _rule(row: Row, folders: dict[str, str], *, reveal: bool) -> dict[str, Any]:
    from pipeline.jobs.redaction import masked
    from pipeline.mailbox.reading.words import actions_in_words, conditions_in_words

    return {
        "id": str(row["_id"]),
        "name": row["name"] if reveal else masked(row["name"]),
        "enabled": bool(row.get("is_enabled", True)),
        "for": conditions_in_words(row.get("conditions") or {}, folders, reveal=reveal),
        "does": actions_in_words(row.get("actions") or (), folders, reveal=reveal),
        "done": (row.get("stats") or {}).get("total_executions") or 0,
    }


@app.command(
    epilog=examples("headrace mailboxes staged ada", "headrace mailboxes staged ada --show rescued")
)
def staged(
    whose: Whose,
    *,
    show: Annotated[str, typer.Option(help=f"One of {', '.join(_STAGED)}.")] = "staged",
    limit: Limit = 50,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Mail that waits to be deleted, or what became of it."""
    from pipeline.mailbox.reading import staged as reading

    _require("--show", show, _STAGED)
    mailbox, folders = opened(whose, "staged", by, reveal=reveal)
    found = [_staged(row, folders, reveal=reveal) for row in reading.staged(mailbox, show, limit)]
    if as_json:
        print_json({"staged": found})
        return
    now = datetime.now(UTC)
    rows = [
        (o["id"], o["sender"], o["was_in"], o["status"], age(o["expires_at"], now)) for o in found
    ]
    console().print(table(None, ("id", "from whom", "was in", "status", "until"), rows))


def _staged(row: Row, folders: dict[str, str], *, reveal: bool) -> dict[str, Any]:
    from pipeline.mailbox.reading.names import sender_of

    told = {
        "id": str(row["_id"]),
        "message": row["message_id"],
        "sender": sender_of(row, reveal=reveal),
        "was_in": folders.get(row["original_folder"]),
        "status": row["status"],
        "rule": row["rule_id"],
        "staged_at": row["staged_at"],
        "expires_at": row["expires_at"],
        "error": row.get("error"),
    }
    return told | ({"subject": row.get("subject")} if reveal else {})


@app.command(
    epilog=examples("headrace mailboxes audit ada", "headrace mailboxes audit ada --undoable")
)
def audit(
    whose: Whose,
    *,
    undoable: Annotated[bool, typer.Option("--undoable", help="Only what can be undone.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """What was done to the mail, rules and patterns of a mailbox's user, the newest first."""
    from pipeline.mailbox import audit as service

    mailbox = mailbox_of(whose)
    wanted = True if undoable else None
    found = [_act(row) for row in service.listed(mailbox["user_id"], undoable=wanted, limit=limit)]
    if as_json:
        print_json({"entries": found})
        return
    now = datetime.now(UTC)
    rows = [
        (o["id"], age(o["at"], now), o["action"], o["actor"], ", ".join(o["steps"]), o["undo"])
        for o in found
    ]
    console().print(table(None, ("id", "when", "what", "by", "steps", "undo"), rows))


def _act(row: Row) -> dict[str, Any]:
    from pipeline.jobs.redaction import masked
    from pipeline.mailbox.undo import why_not_undoable

    may = why_not_undoable(row, datetime.now(UTC)) is None
    return {
        "id": str(row["_id"]),
        "at": row["created_at"],
        "action": row["action"],
        "actor": masked(str(row["actor"])),
        "target": row["target_type"],
        "steps": [f"{step['action']} {step['state']}" for step in row.get("steps") or ()],
        "undo": row.get("undo_state") or ("possible" if may else None),
    }


def _require(option: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        hint = suggestion(value, known) or f"; expected one of {', '.join(known)}"
        raise WrongUse(f"{option}: there is no {value!r}{hint}")
