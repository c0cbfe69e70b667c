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
