"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.sandbox.client import SandboxClient


def answers(client: SandboxClient) -> bool:
    """Return whether the sandbox is up."""
    try:
        client.health()
    except OSError:
        return False
    return True


def wait_until(
    condition: Callable[[], Any], what: str, seconds: float = 30, every_seconds: float = 0.05
) -> None:
    """Return as soon as `condition` holds; fail with `what` when time is up."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(every_seconds)
