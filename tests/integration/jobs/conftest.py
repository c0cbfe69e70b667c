"""A table of probe jobs in place of the real ones, over an empty Redis."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import workers
from own_redis import OwnRedis, talking_to
from probes import Probes

from pipeline.config import settings
from pipeline.jobs import consistency
from pipeline.stores import redis_client


@pytest.fixture
def probes(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Probes:
    """A table that knows no jobs but those of the test; Redis is empty."""
    settings.cache_clear()
    redis_client().flushdb()
    return Probes(monkeypatch)


@pytest.fixture
def faults(
    own_redis: OwnRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnRedis]:
    """A table of jobs that behave as told, on an empty Redis that may be broken.

    Nothing else is there, MongoDB least of all.  At the end everything in Redis fits together.
    """
    for name, value in workers.QUICK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WORKER_METRICS_PORT", "0")
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/nobody")
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(workers.WITNESS_VARIABLE, str(tmp_path / "witness"))
    workers.only_these_jobs(monkeypatch)
    own_redis.client.flushall()
    with talking_to(own_redis):
        yield own_redis
        assert consistency.check() == []


@pytest.fixture
def worker_log(tmp_path: Path) -> Iterator[Path]:
    """Where worker processes write; shown when the test fails."""
    path = tmp_path / "log"
    yield path
    if path.exists():
        sys.stdout.write(path.read_text()[-6000:])
