"""`headrace sandbox inbox`: who was sent what, and what they did with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, Cell, console, note, print_json, table
from pipeline.cli.sandbox_url import Url, running_sandbox

_COLUMNS = ("received", "by", "to", "from", "says", "status", "then")
_LONGEST = 60
_POLL_SECONDS = 0.5


def inbox(
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="Only messages to it; all without.")
    ] = None,
    *,
    newest: Annotated[int, typer.Option(min=1, help="Show so many.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the messages that the sandbox's SendGrid, Twilio and mail server have taken.

    With --json they are shown whole.
    """
    if follow and as_json:
        raise WrongUse("--follow is for people; use --json without it")
    with running_sandbox(url) as client:
        found = client.inbox(address, limit=newest, newest=True)
        if as_json:
            print_json({"messages": found})
            return
        _show(found)
        _sum_up(client.outreach(), len(found))
        last = found[-1]["number"] if found else 0
        while follow:
            time.sleep(_POLL_SECONDS)
            if more := client.inbox(address, after=last):
                _show(more)
                last = more[-1]["number"]


def _show(messages: Sequence[dict[str, Any]]) -> None:
    if messages:
        console().print(table(None, _COLUMNS, [_row(message) for message in messages]))


def _row(message: dict[str, Any]) -> list[Cell]:
    says = message["subject"] or message["text"]
    return [
        message["received_at"][:19].replace("T", " "),
        message["provider"],
        message["to"],
        message["from"],
        says if len(says) <= _LONGEST else f"{says[:_LONGEST]}…",
        message["status"],
        ", ".join(message["acts"]) or None,
    ]


def _sum_up(counts: dict[str, Any], shown: int) -> None:
    waiting = sum(counts["waiting"].values())
    note(f"{shown} of {counts['messages']} messages; {waiting} events wait to be told.")
