"""Servers of these tests: real processes in throw-away folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_helpers import processes_of

from pipeline import embedded


@pytest.fixture(scope="session")
def running_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `running`."""
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="session")
def running(running_dir: Path) -> Iterator[embedded.Running]:
    """All three servers, for tests that leave them running."""
    with embedded.start(running_dir) as running:
        yield running


@pytest.fixture
def fresh_dir(tmp_path: Path) -> Iterator[Path]:
    """A fresh data folder; fails the test if a process still uses it at the end."""
    folder = tmp_path / "data"
    yield folder
    assert processes_of(folder) == []
