"""What the tests of pages about jobs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsers import signed_in
from history_jobs import Carrier, in_the_table, working
from job_pages import asked_anew
from starlette.testclient import TestClient
from waiting import wait_until

from pipeline.jobs.workers import serving, workers


@pytest.fixture
def parcels(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A queue of parcels beside the real ones; the stores are empty."""
    with in_the_table(monkeypatch), asked_anew():
        yield


@pytest.fixture
def carrier(parcels: None) -> Iterator[Carrier]:
    """A worker that has said what it serves."""
    made = Carrier()
    with working(made):
        wait_until(lambda: serving("parcels", workers()), "a worker is there")
        yield made


@pytest.fixture
def operator(parcels: None) -> TestClient:
    return signed_in("operator")
