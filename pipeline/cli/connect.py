"""`headrace connect`: a user's grant comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import AsJson, console, examples, print_json
from pipeline.errors import Permanent

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=examples(
        "headrace connect ada --file authorized_user.json",
        "headrace connect user0001 --sandbox",
        "headrace connect ada --provider microsoft --file grant.json",
        "headrace connect ada --composio gmail=ca_x,googlecalendar=ca_y",
    )
)
def connect(
    user: Annotated[str, typer.Argument(metavar="USER", help="The id that your application uses.")],
    *,
    provider: Annotated[
        Literal["google", "microsoft"], typer.Option(help="Whose account it is.")
    ] = "google",
    file: Annotated[
        Path | None,
        typer.Option(
            help="Google's authorized-user JSON, or {\"refresh_token\": …} of Microsoft's;"
            " '-' reads standard input."
        ),
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="The sandbox's user of the same id.")
    ] = False,
    composio: Annotated[
        str | None, typer.Option(help="Composio's account ids: toolkit=account,…")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Connect USER to a provider.  Creates the user; its sources are due at once.

    Connecting again replaces the grant and wakes what waited for it.
    """
    if [file is not None, sandbox, composio is not None].count(True) != 1:
        raise WrongUse("give one of --file, --sandbox and --composio")
    if composio is not None and provider != "google":
        raise WrongUse("--composio is for accounts of google only")
    from pipeline import connect as connections
    from pipeline.cli import connecting
    from pipeline.probes import require

    connecting.check_user_id(user)
    if composio is not None:
        accounts = parse_accounts(composio, list(connections.COMPOSIO_TOOLKITS))
        require("mongodb")
        sources = connections.connect_composio(user, accounts)
    else:
        grant = read_grant(file) if file else connecting.sandbox_grant(user, provider)
        require("mongodb")
        connect_by = {
            "google": connections.connect_google,
            "microsoft": connections.connect_microsoft,
        }[provider]
        sources = connect_by(user, grant)
    if not sources:
        raise Permanent("the grant has none of the scopes that a source needs")
    queued = connecting.look_for_due_now()
    if as_json:
        print_json({"user": user, "sources": sources, "queued": queued})
        return
    when = "a worker takes them now" if queued else "the scheduler queues them, once Redis answers"
    console().print(f"Connected: {', '.join(sources)} are due; {when}.", markup=False)


def read_grant(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`; raise WrongUse if it holds none."""
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text()
        grant = json.loads(text)
    except OSError as error:
        raise WrongUse(f"--file {path}: {error.strerror}") from None
    except ValueError:  # its message repeats a part of what may be a secret
        raise WrongUse(f"--file {path}: not JSON") from None
    if not isinstance(grant, dict):
        raise WrongUse(f"--file {path}: not a JSON object")
    return grant


def parse_accounts(text: str, toolkits: list[str]) -> dict[str, str]:
    """Return account ids by toolkit of "gmail=ca_x,…"; raise WrongUse that says what is wrong."""
    accounts = {}
    for entry in text.split(","):
        toolkit, _, account = (part.strip() for part in entry.partition("="))
        if not toolkit or not account:
            raise WrongUse(f"--composio: {entry.strip()!r} is not toolkit=account")
        if toolkit not in toolkits:
            hint = suggestion(toolkit, toolkits) or f"; expected one of {', '.join(toolkits)}"
            raise WrongUse(f"--composio: unknown toolkit {toolkit!r}{hint}")
        accounts[toolkit] = account
    return accounts
