"""Where everything runs: one embedded Redis, a folder that goes away, settings that lead there."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from pipeline import embedded
from pipeline.config import settings

Log = Callable[[str], None]

_POLL_SECONDS = 0.1


class Stage:
    """One Redis for all sides, and a folder for what they write."""

    def __init__(self, folder: Path, redis: Redis, log: Log) -> None:
        self.folder = folder
        self.redis = redis
        self.log = log
        self._numbers = itertools.count()

    def empty(self) -> None:
        """Forget every job of every side."""
        redis: Any = self.redis  # its flushall() leaves memory to be freed later
        redis.execute_command("FLUSHALL", "SYNC")

    def new_folder(self) -> Path:
        """Return the path of a folder that is not there yet."""
        return self.folder / f"run-{next(self._numbers)}"

    def log_file(self, name: str) -> Path:
        """Return where the processes of a side write."""
        return self.folder / f"{name}.log"

    def redis_cpu_seconds(self) -> float:
        """Return the processor time that Redis has used so far."""
        used = self._info("cpu")
        return float(used["used_cpu_sys"] + used["used_cpu_user"])

    def redis_bytes(self) -> int:
        """Return the memory of Redis' data.

        What it buffers for its append-only file and its clients comes and goes, and
        is left out.
        """
        while self._info("memory")["mem_aof_buffer"] > 2**20:
            time.sleep(_POLL_SECONDS)
        used = self._info("memory")
        return int(used["used_memory"] - used["mem_aof_buffer"] - used["mem_clients_normal"])

    def _info(self, section: str) -> dict[str, Any]:
        answer: Any = self.redis.info(section)
        return dict(answer)


@contextmanager
def stage(folder: Path, log: Log) -> Iterator[Stage]:
    """Start Redis and point the settings of this process and its children at it."""
    log("starting Redis")
    with embedded.start(folder, ["redis"]) as running:
        os.environ.update(
            {
                **running.settings,
                "HEADRACE_DATA_DIR": str(folder),
                "WORKER_METRICS_PORT": "0",
                "TMPDIR": str(folder),  # of workers, that may be killed before they tidy up
            }
        )
        settings.cache_clear()
        with Redis.from_url(running.settings["REDIS_URL"], decode_responses=True) as redis:
            yield Stage(folder, redis, log)
