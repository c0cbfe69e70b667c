"""`headrace sandbox topic|pushes`: where the sandbox pushes to, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.output import AsJson, console, note, print_json, table
from pipeline.cli.sandbox_url import Url, running_sandbox


def topic(
    name: Annotated[str | None, typer.Argument(metavar="TOPIC")] = None,
    *,
    endpoint: Annotated[
        str | None, typer.Option(help="Address that the topic's subscription pushes to.")
    ] = None,
    audience: Annotated[
        str | None, typer.Option(help="Of the tokens of its pushes; the endpoint without.")
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(help="Address in the tokens of its pushes.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all topics.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a Pub/Sub topic, for Gmail to publish to. Without TOPIC, list the topics."""
    if clear and name is not None:
        raise WrongUse("--clear removes all topics; give no TOPIC with it")
    if (name is None) != (endpoint is None):
        raise WrongUse("TOPIC and --endpoint belong together")
    with running_sandbox(url) as client:
        if clear:
            client.clear_topics()
        elif name is not None and endpoint is not None:
            client.topic(name, endpoint, audience, service_account)
        topics = client.topics()
    if as_json:
        print_json({"topics": topics})
        return
    columns = ("topic", "endpoint", "audience", "service_account", "subscription")
    rows = [[topic[column] for column in columns] for topic in topics]
    console().print(table(None, columns, rows))


def pushes(
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget what waits, and count from 0 again.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of the sandbox's push notifications."""
    with running_sandbox(url) as client:
        found = client.pushes()
        if clear:
            client.clear_pushes()
    if as_json:
        print_json(found)
        return
    columns = ("api", "user", "outcome", "count")
    rows = [[row[column] for column in columns] for row in found["pushes"]]
    console().print(table(None, columns, rows))
    note(f"{found['waiting']} wait to be delivered.")
