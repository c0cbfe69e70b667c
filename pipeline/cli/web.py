"""`headrace web`: serve the admin, connect pages, webhooks and the API."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.output import examples, note
from pipeline.config import settings
from pipeline.errors import Misconfigured

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=examples("headrace web", "headrace web --port 9000", "WEB_HOST=0.0.0.0 headrace web")
)
def web(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="WEB_HOST")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0: a free one.", show_default="WEB_PORT"),
    ] = None,
) -> None:
    """Serve the admin, connect pages, push webhooks and the API.

    One process serves thousands of webhooks a second; run several behind a proxy
    for more, or to be there while one restarts.  Behind a proxy, set
    PUBLIC_BASE_URL to the address that people use, and WEB_TRUSTED_PROXIES.
    """
    try:
        from pipeline.web.access.oidc import check_oidc
        from pipeline.web.server import bind, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pipeline"):
            raise
        raise Misconfigured(
            f"`headrace web` needs {error.name}: pip install 'headrace[web]'"
        ) from None
    from pipeline.startup import prepare

    prepare("web")
    check_oidc(settings())
    listening = bind(host or settings().web_host, settings().web_port if port is None else port)
    address, taken = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    note(f"The admin is at http://{shown}:{taken}/admin/queues")
    serve(listening)
