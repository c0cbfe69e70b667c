"""`headrace sandbox`: serve local providers, and change what they have."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import require_source, suggestion
from pipeline.cli.output import AsJson, Cell, console, examples, note, print_json, table
from pipeline.cli.sandbox_faults import fault
from pipeline.cli.sandbox_inbox import inbox
from pipeline.cli.sandbox_pushes import pushes, topic
from pipeline.cli.sandbox_simulate import simulate
from pipeline.cli.sandbox_url import Url, running_sandbox, sandbox_addresses
from pipeline.errors import Misconfigured

if TYPE_CHECKING:
    from pipeline.sandbox.client import SandboxClient
    from pipeline.sandbox.push.topics import Topic

_TOPIC = "projects/headrace-sandbox/topics/gmail"
_ENDPOINT = "http://127.0.0.1:8080/webhooks/google/gmail"

app = typer.Typer(rich_markup_mode="rich")

User = Annotated[str | None, typer.Option(help="Only this user; all without.")]
_HOST = "127.0.0.1"


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace sandbox --port 8085 --data sandbox.sqlite3",
        f"headrace sandbox --topic {_TOPIC}={_ENDPOINT}",
        "headrace sandbox mutate --seed 7 --changes 500",
        "headrace sandbox fault status --param code=503 --times 5",
    ),
)
def sandbox(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8085,
    data: Annotated[str, typer.Option(help="SQLite file, or :memory:.")] = "sandbox.sqlite3",
    topics: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            metavar="NAME=ENDPOINT",
            help="A Pub/Sub topic, and where its subscription pushes to; may be repeated.",
        ),
    ] = None,
    smtp_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Take mail there; without it, nowhere.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve Google's OAuth, Calendar, Gmail, People and Tasks APIs, Microsoft's sign-in and mail,
    SendGrid, Twilio and a mail server, on this machine.

    The commands below talk to a sandbox that runs, such as that of `headrace up --demo`.
    """
    if context.invoked_subcommand is not None:
        return
    from pipeline.sandbox.app import serve

    made = _topics(topics)
    if port == 0:
        with socket.create_server((_HOST, 0)) as free:
            port = free.getsockname()[1]
    url = f"http://{_HOST}:{port}"
    where = sandbox_addresses(url, smtp_port)
    if as_json:
        print_json({"data": data, **where})
    else:
        note(f"The sandbox serves {url} until Ctrl-C. Point Headrace at it:")
        for name, value in where.items():
            note(f"  export {name}={value}")
    try:
        serve(_HOST, port, data, topics=made, smtp_port=smtp_port)
    except OSError as error:
        raise Misconfigured(f"port {port}: {error.strerror}") from None


@app.command(epilog=examples("headrace sandbox users", "headrace sandbox users --json"))
def users(*, url: Url = None, as_json: AsJson = False) -> None:
    """List the users of the sandbox, and how many items each has."""
    with running_sandbox(url) as client:
        found = client.users()
    if as_json:
        print_json(
            {"users": [{"user": u.user, "items": u.counts, "total": u.total} for u in found]}
        )
        return
    sources = sorted({source for user in found for source in user.counts})
    rows: list[list[Cell]] = [
        [user.user, *(sum(user.counts.get(s, {}).values()) for s in sources), user.total]
        for user in found
    ]
    console().print(table(None, ("user", *sources, "total"), rows))


@app.command(
    epilog=examples(
        "headrace sandbox mutate --seed 7 --changes 500",
        "headrace sandbox mutate --changes 20 --users user0001,user0002 --expire-cursors 0.5",
    )
)
def mutate(
    *,
    changes: Annotated[int, typer.Option(min=0, help="How many, spread over the users.")] = 100,
    seed: Annotated[
        int | None, typer.Option(help="The same seed makes the same changes; random without.")
    ] = None,
    users: Annotated[
        str | None, typer.Option(help="Only these users, with commas between; all without.")
    ] = None,
    expire_cursors: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Then expire the cursors of this share of the sources."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make users do things: write, move and delete events, mails, contacts and tasks."""
    chosen = seed if seed is not None else random.randrange(2**31)
    names = [name.strip() for name in users.split(",")] if users else None
    with running_sandbox(url) as client:
        _require_sandbox_users(client, names or ())
        done = client.mutate(chosen, changes, names, expire_cursors)
    if as_json:
        print_json({"seed": chosen, **done})
        return
    kinds = sorted({kind for counts in done["by_source"].values() for kind in counts})
    rows = [
        (source, *(counts.get(kind, 0) for kind in kinds))
        for source, counts in done["by_source"].items()
    ]
    console().print(table(None, ("source", *kinds), rows))
    note(f"{done['changes']} changes with --seed {chosen}; {len(done['expired'])} cursors expired.")


@app.command("expire-cursors", epilog=examples("headrace sandbox expire-cursors --user user0001"))
def expire_cursors(
    *,
    user: User = None,
    source: Annotated[str | None, typer.Option(help="Only this source; all without.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make the sandbox forget cursors, as providers do after days or weeks."""
    if source is not None:
        require_source(source)
    with running_sandbox(url) as client:
        _require_sandbox_users(client, [user] if user else ())
        expired = client.expire_cursors(user, source)
    if as_json:
        print_json({"expired": expired})
    else:
        note(f"The cursors of {expired} sources of users are expired.")


@app.command(epilog=examples("headrace sandbox usage", "headrace sandbox usage --clear"))
def usage(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Count from 0 again.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what was asked of the sandbox, how it answered, and what that cost of the quotas."""
    with running_sandbox(url) as client:
        rows = client.usage()
        if clear:
            client.clear_usage()
    if as_json:
        print_json({"usage": rows})
        return
    sums: Counter[tuple[str, str, str]] = Counter()
    units: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        key = (row["api"], row["method"], str(row["code"]))
        sums[key] += row["calls"]
        units[key] += row["units"]
    cells = [(*key, calls, units[key]) for key, calls in sorted(sums.items())]
    console().print(table(None, ("api", "method", "code", "calls", "units"), cells))


app.command(
    epilog=examples(
        "headrace sandbox fault status --param code=503 --times 5",
        "headrace sandbox fault hang --match user=user0001 --param seconds=60",
        "headrace sandbox fault status --param code=429 --param retry_after=2 --probability 0.1",
        "headrace sandbox fault push_lose --match api=calendar --probability 0.05",
        "headrace sandbox fault drop --match api=sendgrid",
        "headrace sandbox fault --clear",
    )
)(fault)
app.command(
    epilog=examples(
        "headrace sandbox inbox",
        "headrace sandbox inbox ada@example.org --json",
        "headrace sandbox inbox --follow",
    )
)(inbox)
app.command(epilog=examples(f"headrace sandbox topic {_TOPIC} --endpoint {_ENDPOINT}"))(topic)
app.command(epilog=examples("headrace sandbox pushes", "headrace sandbox pushes --clear"))(pushes)
app.command(
    epilog=examples(
        "headrace sandbox simulate --days 60 --seed 3",
        "headrace sandbox simulate --users user0001,user0002 --json",
    )
)(simulate)


def _topics(given: list[str] | None) -> list[Topic]:
    from pipeline.sandbox.fields import BadField
    from pipeline.sandbox.push.topics import Topic

    try:
        return [Topic.parse(text) for text in given or ()]
    except BadField as error:
        raise WrongUse(str(error)) from None


def _require_sandbox_users(client: SandboxClient, names: Iterable[str]) -> None:
    known = [user.user for user in client.users()] if names else []
    for name in names:
        if name not in known:
            raise WrongUse(f"the sandbox has no user {name!r}{suggestion(name, known)}")
