"""`headrace ai ask` and `retry`: have something done, and wait for it if that is wanted."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By, operator
from pipeline.cli.ai.app import RequestId, Tenant, app, tell
from pipeline.cli.exits import FAILED, WrongUse
from pipeline.cli.output import AsJson, examples, note, progress_bar

if TYPE_CHECKING:
    from pipeline.stores import Row

Wait = Annotated[
    float | None, typer.Option("--wait", min=0, help="Wait so many seconds for the answer.")
]
_LOOK_SECONDS = 0.25


@app.command(
    epilog=examples(
        "headrace ai ask generate-summary letter.txt --wait 60",
        "headrace ai ask translate - --option target_language=de --wait 60 < letter.txt",
        "headrace ai ask categorize --thread google_gmail:18c2f --user ada",
        "headrace ai ask extract-mentions --record 9f0c5a1e…",
    )
)
def ask(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="`headrace ai types` lists.")],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A text, in UTF-8; - reads it here.")
    ] = None,
    *,
    record: Annotated[str | None, typer.Option(help="Or the id of a record.")] = None,
    thread: Annotated[str | None, typer.Option(help="Or a thread of --user: SOURCE:ID.")] = None,
    user: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as JSON or a word; several times.")
    ] = None,
    tenant: Tenant = "default",
    wait: Wait = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Ask AI for something; the same, of the same content, is not asked twice."""
    entities = {"record": record, "thread": thread}
    entity = next(((kind, name) for kind, name in entities.items() if name is not None), None)
    if sum(value is not None for value in (file, record, thread)) != 1:
        raise WrongUse("give one of FILE, --record and --thread")
    content = None if file is None else _read(file)
    options = dict(_option(text) for text in option or ())
    from pipeline.audit import audited
    from pipeline.platform import ai
    from pipeline.probes import require

    require("mongodb", "redis")
    who = operator(by)
    with audited(who, "ai.ask", f"tenant {tenant}", origin="cli", type=type_name) as entry:
        row = ai.ask(
            tenant,
            type_name,
            entity=entity,
            content=content,
            options=options,
            user_id=user,
            by=who,
        )
        entry.details["request"] = row["_id"]
    _end(row, wait, as_json=as_json)


@app.command(epilog=examples("headrace ai retry 4fd0… --tenant acme --wait 60"))
def retry(
    request: RequestId,
    *,
    tenant: Tenant = "default",
    wait: Wait = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Have a request that has failed tried again."""
    from pipeline.audit import audited
    from pipeline.platform import ai
    from pipeline.probes import require

    require("mongodb", "redis")
    with audited(operator(by), "ai.retry", f"ai request {request}", origin="cli"):
        row = ai.retry(tenant, request)
    _end(row, wait, as_json=as_json)


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise WrongUse(f"FILE: {file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise WrongUse(f"FILE: {file} is not UTF-8") from None


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise WrongUse(f"--option: expected NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _end(row: Row, wait: float | None, *, as_json: bool) -> None:
    """Tell of a request, after it is over if `wait` is long enough.  Exits with 1 if it failed."""
    if wait is not None:
        row = _awaited(row, wait, shown=not as_json)
    tell(row, as_json=as_json)
    if wait is not None and row["status"] != "done":
        if row["status"] != "failed":
            note(f"It is still {row['status']}; `headrace ai show {row['_id']}` tells more.")
        raise typer.Exit(FAILED)


def _awaited(row: Row, seconds: float, *, shown: bool) -> Row:
    from models.ai import AI_OPEN
    from pipeline.platform import ai

    end = time.monotonic() + seconds
    with progress_bar(shown=shown) as bar:
        task = bar.add_task(f"{row['type']}: {row['status']}", total=None)
        while row["status"] in AI_OPEN and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
            row = ai.result(row["tenant_id"], row["_id"]) or row
            bar.update(task, description=f"{row['type']}: {row['status']}")
    return row
