"""A user of whom the graph knows nothing, and the landing of their records."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from graph_items import Landing

from pipeline.clients import graph as bolt


@pytest.fixture(scope="session")
def graph_server(servers: dict[str, str]) -> Iterator[None]:
    """The graph, with this process's connections to it closed at the end."""
    yield
    bolt.close()


@pytest.fixture
def user(graph_server: None) -> str:
    """A user of whom the graph knows nothing."""
    return f"user-{uuid4().hex}"


@pytest.fixture
def landing(user: str, stores: None) -> Landing:
    """The landed records of `user`."""
    return Landing(user)
