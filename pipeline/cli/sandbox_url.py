"""Which running sandbox a command talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import Misconfigured

if TYPE_CHECKING:
    from pipeline.sandbox.client import SandboxClient

Url = Annotated[
    str | None, typer.Option(help="Of the running sandbox; without it GOOGLE_API_BASE_URL.")
]


def sandbox_addresses(url: str, smtp_port: int | None) -> dict[str, str]:
    """Return the settings that point Headrace at a sandbox that serves at `url`."""
    from pipeline.sandbox import outreach

    names = (
        *("GOOGLE_API_BASE_URL", "GOOGLE_OAUTH_BASE_URL"),
        *("MICROSOFT_GRAPH_BASE_URL", "MICROSOFT_LOGIN_BASE_URL"),
        *("SENDGRID_API_BASE_URL", "TWILIO_API_BASE_URL"),
    )
    where = {
        **dict.fromkeys(names, url),
        "SENDGRID_API_KEY": outreach.SENDGRID_API_KEY,
        "SENDGRID_WEBHOOK_PUBLIC_KEYS": outreach.SENDGRID_WEBHOOK_PUBLIC_KEY,
        "TWILIO_ACCOUNT_SID": outreach.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": outreach.TWILIO_AUTH_TOKEN,
    }
    if smtp_port is not None:
        who = f"{outreach.SMTP_USER}:{outreach.SMTP_PASSWORD}"
        where["SMTP_URL"] = f"smtp://{who}@127.0.0.1:{smtp_port}"
    return where


@contextmanager
def running_sandbox(url: str | None) -> Iterator[SandboxClient]:
    """Yield a client of the running sandbox.  Raises Misconfigured if none is named."""
    from pipeline.config import settings
    from pipeline.sandbox.client import SandboxClient

    where = url or settings().google_api_base_url
    if not where:
        raise Misconfigured("give --url, or set GOOGLE_API_BASE_URL to a running sandbox")
    client = SandboxClient(where)
    try:
        yield client
    finally:
        client.close()
