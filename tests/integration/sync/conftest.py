"""A connected user for every test of the engine."""

from __future__ import annotations

import pytest
from copies import ORDINARY, Copy, connected

from pipeline.sandbox.client import SandboxClient


@pytest.fixture
def copy(sandbox: SandboxClient) -> Copy:
    """An ordinary user, connected and never synced."""
    return connected(sandbox, "ada", ORDINARY)
