"""Runs `headrace …` in this process, with the settings of the test's servers."""

from __future__ import annotations

import json
import socket
from typing import Any

from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.config import settings


def headrace(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    """Run a command; `environment` goes on top of what is set."""
    settings.cache_clear()
    try:
        return CliRunner().invoke(app, arguments, env=environment, input=stdin)
    finally:
        settings.cache_clear()


def document(*arguments: str, **environment: str) -> Any:
    """Run a command with `--json`; return its document."""
    return json.loads(headrace(*arguments, "--json", **environment).stdout)


def nobody(scheme: str) -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
