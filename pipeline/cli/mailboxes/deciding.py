"""What an operator decides in a mailbox: patterns, staged mail, undo, pause; each audited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.exits import FAILED
from pipeline.cli.mailboxes.app import app
from pipeline.cli.mailboxes.finding import Whose, mailbox_of, target_of
from pipeline.cli.output import AsJson, examples, note, print_json

if TYPE_CHECKING:
    from pipeline.stores import Row

Patterns = Annotated[list[str], typer.Argument(metavar="PATTERN...", help="Ids of patterns.")]
Mails = Annotated[list[str], typer.Argument(metavar="STAGED...", help="Ids of staged mails.")]
Entry = Annotated[str, typer.Argument(metavar="ENTRY", help="The id of a row of the audit.")]


@app.command(epilog=examples("headrace mailboxes approve ada 65f1c0ffee65f1c0ffee65f1"))
def approve(whose: Whose, pattern_ids: Patterns, *, by: By = None, as_json: AsJson = False) -> None:
    """Have rules do from now on what the user does; each pattern by itself."""
    from pipeline.mailbox.patterns.bulk import approve_many

    mailbox = mailbox_of(whose)
    who = operator(by)
    with _acting(mailbox, who, "patterns.approve", patterns=len(pattern_ids)):
        found = approve_many(mailbox["user_id"], pattern_ids, by=who)
    _tell(
        [{"id": one.pattern_id, "outcome": one.outcome, "why": one.why} for one in found],
        as_json=as_json,
        failed=("refused", "failed"),
    )


@app.command(epilog=examples("headrace mailboxes reject ada 65f1c0ffee65f1c0ffee65f1"))
def reject(whose: Whose, pattern_ids: Patterns, *, by: By = None, as_json: AsJson = False) -> None:
    """Have patterns not suggested again until the cooldown of the user has passed."""
    from pipeline.errors import Gone, Permanent
    from pipeline.mailbox.patterns.lifecycle import reject as reject_one

    mailbox = mailbox_of(whose)
    who, told = operator(by), []
    with _acting(mailbox, who, "patterns.reject", patterns=len(pattern_ids)):
        for pattern_id in pattern_ids:
            try:
                reject_one(mailbox["user_id"], pattern_id, by=who)
                told.append({"id": pattern_id, "outcome": "rejected", "why": None})
            except (Gone, Permanent) as error:
                told.append({"id": pattern_id, "outcome": "refused", "why": str(error)})
    _tell(told, as_json=as_json, failed=("refused",))


@app.command(epilog=examples("headrace mailboxes rescue ada 65f1c0ffee65f1c0ffee65f1"))
def rescue(whose: Whose, staged_ids: Mails, *, by: By = None, as_json: AsJson = False) -> None:
    """Put staged mails back where they were."""
    from pipeline.mailbox.staging import rescue_many

    _settle(rescue_many, "staged.rescue_many", whose, staged_ids, by, as_json=as_json)


@app.command(epilog=examples("headrace mailboxes execute ada 65f1c0ffee65f1c0ffee65f1"))
def execute(whose: Whose, staged_ids: Mails, *, by: By = None, as_json: AsJson = False) -> None:
    """Do at once what staged mails wait for: they go to Deleted Items."""
    from pipeline.mailbox.staging import execute_many

    _settle(execute_many, "staged.execute_many", whose, staged_ids, by, as_json=as_json)


@app.command(epilog=examples("headrace mailboxes undo ada 65f1c0ffee65f1c0ffee65f1"))
def undo(whose: Whose, entry: Entry, *, by: By = None, as_json: AsJson = False) -> None:
    """Take back what was done, the last step first; `headrace mailboxes audit` names entries."""
    from pipeline.mailbox.undo import undo as undo_one
    from pipeline.probes import require

    mailbox = mailbox_of(whose)
    require("redis")
    who = operator(by)
    with _acting(mailbox, who, "mail_audit.undo", audit=entry) as row:
        done = undo_one(mailbox["user_id"], entry, who)
        row.details["state"] = done.state
    if as_json:
        print_json({"entry": entry, "state": done.state, "steps": done.results})
    else:
        note(f"{done.state}: {len(done.results)} steps.")
        for step in done.results:
            note(f"  step {step['step'] + 1}: {step['state']} {step.get('error') or ''}".rstrip())
    if done.state == "partial":
        raise typer.Exit(FAILED)


@app.command(epilog=examples("headrace mailboxes analyze ada"))
def analyze(whose: Whose, *, by: By = None, as_json: AsJson = False) -> None:
    """Have a worker look for patterns now; else that is done every night."""
    from pipeline.dispatch import send
    from pipeline.errors import ReauthRequired
    from pipeline.probes import require

    mailbox = mailbox_of(whose)
    require("redis")
    if not mailbox.get("is_connected"):
        raise ReauthRequired("the mailbox is not connected; its user must connect it again")
    with _acting(mailbox, operator(by), "mailbox.analyze"):
        sent = send(
            "analyze_patterns", mailbox["user_id"], mailbox["_id"], tenant_id=mailbox["tenant_id"]
        )
    if as_json:
        print_json({"mailbox": mailbox["_id"], "job": sent.message_id, "created": sent.created})
    else:
        note("Queued." if sent.created else "An analysis waits or runs already.")


@app.command(epilog=examples("headrace mailboxes pause ada"))
def pause(whose: Whose, *, by: By = None, as_json: AsJson = False) -> None:
    """Let no rule act in a mailbox; what is staged stays where it is."""
    _set_paused(whose, by, paused=True, as_json=as_json)


@app.command(epilog=examples("headrace mailboxes resume ada"))
def resume(whose: Whose, *, by: By = None, as_json: AsJson = False) -> None:
    """Let rules act in a mailbox again."""
    _set_paused(whose, by, paused=False, as_json=as_json)


def _set_paused(whose: str, by: str | None, *, paused: bool, as_json: bool) -> None:
    from pipeline.mailbox.preferences import update_mailbox_settings

    mailbox = mailbox_of(whose)
    who = operator(by)
    with _acting(mailbox, who, "mailbox.pause" if paused else "mailbox.resume"):
        update_mailbox_settings(mailbox["_id"], {"automation_paused": paused}, by=who)
    if as_json:
        print_json({"mailbox": mailbox["_id"], "automation_paused": paused})
    else:
        note("Automation is paused." if paused else "Automation is on.")


def _settle(
    act: Callable[[str, list[str], str], Iterable[Any]],
    action: str,
    whose: str,
    staged_ids: list[str],
    by: str | None,
    *,
    as_json: bool,
) -> None:
    from pipeline.probes import require

    mailbox = mailbox_of(whose)
    require("redis")
    who = operator(by)
    with _acting(mailbox, who, action, mails=len(staged_ids)):
        found = act(mailbox["user_id"], staged_ids, who)
    told = [
        {"id": one.staged_id, "outcome": one.status, "why": one.reason or None} for one in found
    ]
    _tell(told, as_json=as_json, failed=("refused", "expired", "failed"))


def _acting(mailbox: Row, who: str, action: str, **details: Any) -> Any:
    from pipeline.audit import audited

    return audited(who, action, target_of(mailbox), origin="cli", **details)


def _tell(found: list[dict[str, Any]], *, as_json: bool, failed: tuple[str, ...]) -> None:
    """Print what became of each, and end with FAILED if something was not done."""
    if as_json:
        print_json({"outcomes": found})
    else:
        for one in found:
            note(f"{one['id']}: {one['outcome']}{': ' + one['why'] if one['why'] else ''}")
    if any(one["outcome"] in failed for one in found):
        raise typer.Exit(FAILED)
