"""`headrace`: the table of commands, and what happens to their errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from pipeline.cli.exits import (
    MEANINGS,
    USAGE,
    exit_code_of,
    is_expected,
    message_of,
)
from pipeline.cli.output import note, print_json

RUN, LOOK, JOBS, SETTINGS, DEVELOP = "Run", "Look", "Jobs", "Set up", "Develop"


@dataclass(frozen=True)
class Lazy:
    """A command that is imported when it is called; `target` is module:attribute."""

    name: str
    target: str
    summary: str
    panel: str

    def listed(self) -> TyperCommand:
        """Return what `headrace --help` shows of it."""
        return TyperCommand(self.name, help=self.summary, rich_help_panel=self.panel)

    def load(self) -> Any:
        """Return the command itself.  The attribute is a Typer app, or a command's function."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(rich_markup_mode="rich", add_completion=False)
            found.command()(function)
        found._add_completion = False
        command = typer.main.get_command(found)
        command.name = self.name
        return command


COMMANDS = (
    Lazy(
        "up", "pipeline.cli.up.command:app", "Start everything on this machine and watch it.", RUN
    ),
    Lazy("web", "pipeline.cli.web:app", "Serve the admin, webhooks and the API.", RUN),
    Lazy("sync", "pipeline.cli.sync:app", "Sync one user now, or queue everybody.", RUN),
    Lazy("status", "pipeline.cli.status:app", "How fresh the copies are, and what fails.", LOOK),
    Lazy("users", "pipeline.cli.users:app", "Users, and how their sources are.", LOOK),
    Lazy(
        "mailboxes",
        "pipeline.cli.mailboxes.command:app",
        "Microsoft 365 mailboxes: patterns, rules, staged mail, undo.",
        LOOK,
    ),
    Lazy(
        "outreach",
        "pipeline.cli.outreach.command:app",
        "Campaigns: contacts, senders, what is sent, timelines.",
        LOOK,
    ),
    Lazy("search", "pipeline.cli.search:app", "Find records by their words; its index.", LOOK),
    Lazy("ai", "pipeline.cli.ai.command:app", "Ask AI; see what it answered and took.", LOOK),
    Lazy("verify", "pipeline.cli.verify:app", "Compare the copies with the truth.", LOOK),
    Lazy(
        "doctor", "pipeline.cli.doctor.command:app", "What is wrong here, and how to mend it.", LOOK
    ),
    Lazy("queues", "pipeline.cli.queues:app", "What waits and runs, and who works on it.", JOBS),
    Lazy("jobs", "pipeline.cli.jobs.command:app", "Find jobs, see why, and act on one.", JOBS),
    Lazy("dead-letters", "pipeline.cli.dead_letters:app", "What failed for good: replay it.", JOBS),
    Lazy("pause", "pipeline.cli.pauses:pause_app", "Let nothing of a queue or user start.", JOBS),
    Lazy("resume", "pipeline.cli.pauses:resume_app", "End a pause.", JOBS),
    Lazy(
        "schedules", "pipeline.cli.schedules:app", "What is sent by the clock; send it now.", JOBS
    ),
    Lazy("connect", "pipeline.cli.connect:app", "Connect a user to a provider.", SETTINGS),
    Lazy(
        "connect-link",
        "pipeline.cli.connect_link:app",
        "A link by which a user connects an account.",
        SETTINGS,
    ),
    Lazy("tokens", "pipeline.cli.tokens:app", "Tokens for programs that use the API.", SETTINGS),
    Lazy("admin", "pipeline.cli.admin:app", "Who may sign in to the web.", SETTINGS),
    Lazy("settings", "pipeline.cli.settings:app", "Every setting and what it means.", SETTINGS),
    Lazy("env", "pipeline.cli.env:app", "Print the addresses of `headrace up` to eval.", SETTINGS),
    Lazy("new-key", "pipeline.cli.new_key:app", "Make a key for ENCRYPTION_KEYS.", SETTINGS),
    Lazy(
        "sandbox",
        "pipeline.cli.sandbox:app",
        "Serve a local Google and Microsoft, or change them.",
        DEVELOP,
    ),
    Lazy("bench", "benchmarks.main:app", "Measure speed and size.", DEVELOP),
    Lazy(
        "chaos", "benchmarks.chaos.main:app", "Break things by seed, and check the rest.", DEVELOP
    ),
)


class Headrace(TyperGroup):
    """Loads commands when they are called, and turns errors into a line and an exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {lazy.name: lazy.listed() for lazy in COMMANDS}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command and import it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, next(lazy for lazy in COMMANDS if lazy.name == name).load(), rest

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> None:
        """Run, then exit with a code of exits.py; prints no traceback for what may happen."""
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(arguments, prog_name="headrace", standalone_mode=False)
        except typer.Abort:
            code = USAGE
        except Exception as error:  # noqa: BLE001 - the end of the line for every error
            code = exit_code_of(error)
            _report(error, code, as_json="--json" in arguments)
        sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception, code: int, *, as_json: bool) -> None:
    if as_json:
        what = {"class": type(error).__name__, "message": message_of(error), "exit_code": code}
        print_json({"error": what})
    else:
        usage_of = getattr(error, "ctx", None)
        if usage_of is not None:
            note(usage_of.get_usage())
        note(f"headrace: {message_of(error)}")
    if not is_expected(error):
        traceback.print_exception(error)


def _exit_codes() -> str:
    rows = [f"  [bold]{code:>3}[/bold]  {meaning}" for code, meaning in MEANINGS.items()]
    return "\n".join(["[bold]Exit codes[/bold]", *rows])


app = typer.Typer(
    cls=Headrace,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog=_exit_codes(),
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def headrace(context: typer.Context) -> None:
    """Keeps every user's Google and Microsoft 365 data in sync, into MongoDB and a graph.

    [cyan]headrace up --demo 20[/cyan] shows it at work, with nothing to set up.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line."""
    app()
