"""The app of `headrace mailboxes`, the list of mailboxes, and one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.exits import WrongUse
from pipeline.cli.mailboxes.finding import Limit, Whose, mailbox_of
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, Cell, age, console, examples, note, print_json, table

if TYPE_CHECKING:
    from pipeline.mailbox.reading.mailboxes import MailboxRow

app = typer.Typer(rich_markup_mode="rich")

_SHOW = ("suggested", "staged", "paused", "disconnected")
_EXAMPLES = (
    "headrace mailboxes",
    "headrace mailboxes list --show suggested",
    "headrace mailboxes patterns ada",
    "headrace mailboxes approve ada 65f1c0ffee65f1c0ffee65f1",
)


@app.callback(invoke_without_command=True, epilog=examples(*_EXAMPLES))
def mailboxes(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Microsoft 365 mailboxes: what happens in them, patterns, rules, staged mail, undo.

    Without a command, list them. Senders are masked unless you say --reveal.
    """
    if context.invoked_subcommand is None:
        list_mailboxes(as_json=as_json)


@app.command("list", epilog=examples(*_EXAMPLES[:2], "headrace mailboxes list --json"))
def list_mailboxes(
    *,
    show: Annotated[str | None, typer.Option(help=f"Only: {', '.join(_SHOW)}.")] = None,
    search: Annotated[str, typer.Option(help="How the ids of their users begin.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List mailboxes in the order of their users."""
    if show is not None and show not in _SHOW:
        hint = suggestion(show, _SHOW) or f"; expected one of {', '.join(_SHOW)}"
        raise WrongUse(f"--show: there is no list {show!r}{hint}")
    from pipeline.mailbox.reading.mailboxes import Filter, listed
    from pipeline.probes import require

    require("mongodb")
    found = listed(limit, wanted=Filter(search, show))  # type: ignore[arg-type]  # it is one of _SHOW
    documents = [_document(box) for box in found.mailboxes]
    if as_json:
        print_json({"mailboxes": documents, "more": bool(found.next)})
        return
    now = datetime.now(UTC)
    columns = ("user", "automation", "folders", "looked at", "suggested", "staged", "analysis")
    console().print(table(None, columns, [_row(one, now) for one in documents]))
    if found.next:
        note(f"There are more than these {limit}; see --limit and --search.")


@app.command(epilog=examples("headrace mailboxes show ada", "headrace mailboxes show ada --json"))
def show(whose: Whose, *, as_json: AsJson = False) -> None:
    """Tell of one mailbox: how it is, and its folders."""
    from pipeline.mailbox.reading import folders
    from pipeline.mailbox.reading.mailboxes import find

    box = find(str(mailbox_of(whose)["_id"]))
    document = _document(box)
    counted = folders.counted(box.mailbox["user_id"])
    document["folder_list"] = [
        {"id": one.folder.id, "path": one.folder.path, "mails": one.mails} for one in counted
    ]
    if as_json:
        print_json(document)
        return
    shown = {name: value for name, value in document.items() if name != "folder_list"}
    now = datetime.now(UTC)
    console().print(table(None, ("", ""), [(name, _cell(v, now)) for name, v in shown.items()]))
    rows = [(one["path"], one["mails"]) for one in document["folder_list"]]
    console().print(table("Folders", ("folder", "mails"), rows))


def _document(box: MailboxRow) -> dict[str, Any]:
    row, state = box.mailbox, box.state or {}
    paused = f"paused ({box.paused_by})" if box.paused_by else "on"
    return {
        "user": row["user_id"],
        "mailbox": box.id,
        "tenant": row["tenant_id"],
        "automation": paused if row.get("is_connected") else "disconnected",
        "reason": row.get("disconnected_reason"),
        "sync": state.get("status"),
        "subscription": (box.subscription or {}).get("status"),
        "folders": box.folders,
        "last_sync_at": row.get("last_sync_at") or state.get("last_success_at"),
        "suggested": box.suggested,
        "staged": box.staged,
        "analysed_at": row.get("analysed_at"),
        "analysis_due_at": row.get("analysis_due_at"),
    }


def _row(one: dict[str, Any], now: datetime) -> tuple[Cell, ...]:
    style = "green" if one["automation"] == "on" else "red"
    return (
        one["user"],
        Text(one["automation"], style=style if one["automation"][:2] != "pa" else "yellow"),
        one["folders"],
        age(one["last_sync_at"], now),
        one["suggested"],
        one["staged"],
        age(one["analysis_due_at"], now),
    )


def _cell(value: Any, now: datetime) -> Cell:
    return age(value, now) if isinstance(value, datetime) else None if value is None else str(value)
