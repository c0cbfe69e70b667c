"""Runs `headrace …` in this process, as a shell would."""

from __future__ import annotations

import json
import socket
from typing import Any

from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.config import Settings, env_name, settings


def headrace(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    """Run `headrace` with no settings but `environment`, and no data folder."""
    unset = {env_name(field): None for field in Settings.model_fields}
    given = {**unset, "HEADRACE_DATA_DIR": "/nonexistent/headrace", **environment}
    settings.cache_clear()
    try:
        return CliRunner().invoke(app, arguments, env=given, input=stdin)
    finally:
        settings.cache_clear()


def document(result: Result) -> Any:
    """Return the JSON document that is all of standard output."""
    return json.loads(result.stdout)


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def nobody_answers() -> dict[str, str]:
    """Return settings of stores that are not there."""
    port = closed_port()
    return {
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "MONGODB_URI": f"mongodb://127.0.0.1:{port}/headrace",
        "GRAPH_URI": f"bolt://127.0.0.1:{port}",
    }
