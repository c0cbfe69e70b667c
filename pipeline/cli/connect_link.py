"""`headrace connect-link`: a link by which a user connects an account in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.exits import WrongUse
from pipeline.cli.names import require_source
from pipeline.cli.output import AsJson, examples, print_json
from pipeline.errors import Misconfigured, Permanent

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=examples(
        "headrace connect-link ada",
        "headrace connect-link ada --sources google_calendar,google_gmail --minutes 15",
        "headrace connect-link ada --provider microsoft",
        "headrace connect-link ada --return-to https://app.example/settings",
    )
)
def connect_link(
    user: Annotated[str, typer.Argument(metavar="USER", help="The id that your application uses.")],
    *,
    provider: Annotated[str, typer.Option(help="Whose account it is.")] = "google",
    sources: Annotated[
        str | None, typer.Option(help="What to ask for: source,…  Default: all of the provider.")
    ] = None,
    return_to: Annotated[
        str, typer.Option(help="Where the user goes afterwards; see CONNECT_RETURN_ORIGINS.")
    ] = "",
    minutes: Annotated[
        float, typer.Option(help="How long the link works.", min=1, max=30 * 24 * 60)
    ] = 60,
    tenant: Annotated[str, typer.Option(help="The tenant of a user who is new.")] = "",
    allow_other_account: Annotated[
        bool,
        typer.Option(
            "--allow-other-account",
            help="Let the copy become that of another account than before.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a signed link for USER to open.  Who has the link can connect an account for USER.

    Give it to that user only, and over https.
    """
    from pipeline.cli.connecting import check_user_id

    check_user_id(user)
    names = [name.strip() for name in sources.split(",")] if sources is not None else None
    for name in names or ():
        require_source(name)
    try:
        from pipeline.web.connect.links import connect_link as signed_link
    except ImportError as error:
        raise Misconfigured(f"{error.name} is missing: `pip install headrace[web]`") from None
    try:
        url = signed_link(
            user,
            provider,
            names,
            return_to,
            minutes * 60,
            tenant_id=tenant,
            other_account=allow_other_account,
        )
    except Permanent as error:
        raise WrongUse(str(error)) from None
    if as_json:
        print_json({"user": user, "provider": provider, "url": url, "minutes": minutes})
    else:
        typer.echo(url)
