"""`headrace new-key`: a key for stored credentials."""

from __future__ import annotations

import typer

from pipeline.cli.output import AsJson, examples, print_json

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=examples(
        'export ENCRYPTION_KEYS="$(headrace new-key)"',
        'export ENCRYPTION_KEYS="$(headrace new-key),$ENCRYPTION_KEYS"  [dim]# rotate[/dim]',
    )
)
def new_key(*, as_json: AsJson = False) -> None:
    """Make a key for ENCRYPTION_KEYS and print it.  It is stored nowhere.

    Put it before the keys that are in use: the first one encrypts, all decrypt.
    """
    from pipeline.clients import keyring

    entry = keyring.new_key()
    if as_json:
        print_json({"id": entry.partition(":")[0], "entry": entry})
    else:
        typer.echo(entry)
