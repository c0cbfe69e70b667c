"""BullMQ as a side: its own client and workers in node, with our retention and job ids."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from redis import Redis

from benchmarks.queue import load
from benchmarks.queue.sides import Side, count_of
from pipeline.config import settings

SOURCE = Path(__file__).parents[1] / "bullmq"
_INSTALL_SECONDS = 120
_QUEUE = "bench"


class NotMeasured(Exception):
    """BullMQ cannot run here; the message says why."""


class BullMQ(Side):
    """The package that benchmarks/bullmq/package.json names, installed into `folder`."""

    name = "bullmq"
    enqueue_ways = ("one", "concurrently", "bulk")

    def __init__(self, folder: Path) -> None:
        """Install it.  Raises NotMeasured without node, npm or a registry that answers."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise NotMeasured("no node")
        shutil.copytree(SOURCE, folder)
        self._script = [node, str(folder / "bench.mjs")]
        self._environment = {
            "REDIS_URL": settings().redis_url.get_secret_value(),
            "QUEUE": _QUEUE,
            "KEEP_COMPLETED": str(load.QUEUE.keep_completed.count),
            "KEEP_FAILED": str(load.QUEUE.keep_failed.count),
        }
        _install(npm, folder)

    def enqueue(self, way: str, count: int) -> float:
        """See Side."""
        done = subprocess.run(
            [*self._script, "enqueue", way, str(count), str(load.USERS)],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return float(json.loads(done.stdout)["seconds"])

    def workers(self) -> list[list[str]]:
        """See Side."""
        return [[*self._script, "work", str(load.THREADS)]] * load.PROCESSES

    def environment(self) -> dict[str, str]:
        """See Side."""
        return self._environment

    def unfinished(self, redis: Redis) -> int:
        """See Side."""
        pipe = redis.pipeline(transaction=False)
        pipe.llen(f"bull:{_QUEUE}:wait")
        pipe.llen(f"bull:{_QUEUE}:active")
        return sum(count_of(answer) for answer in pipe.execute())

    def failed(self, redis: Redis) -> int:
        """See Side."""
        return count_of(redis.zcard(f"bull:{_QUEUE}:failed"))


def _install(npm: str, folder: Path) -> None:
    """Install without a lock file, which would name a registry, and without its scripts."""
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [npm, "install", *options],
            cwd=folder,
            capture_output=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"npm did not finish in {_INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise NotMeasured(f"npm could not install it (exit code {done.returncode})")
