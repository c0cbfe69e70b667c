"""Files that several processes share: locks, JSON that is never half-written, tails of logs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import Misconfigured

#: A server log that has grown past this is moved aside at the next start.
LOG_LIMIT_BYTES = 10 * 1024 * 1024

_POLL_SECONDS = 0.02


class FileLock:
    """An exclusive lock on a file; the kernel releases it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, within_seconds: float) -> bool:
        """Take the lock, waiting up to `within_seconds`; return whether it was had."""
        import fcntl  # not on Windows, where `start` has already refused

        deadline = time.monotonic() + within_seconds
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                self._descriptor = descriptor
                return True

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def locked(path: Path, *, within_seconds: float, busy: str) -> Iterator[None]:
    """Hold the lock on `path` for a block.  Raises Misconfigured(`busy`) if it is not had."""
    lock = FileLock(path)
    if not lock.acquire(within_seconds=within_seconds):
        raise Misconfigured(busy)
    try:
        yield
    finally:
        lock.release()


def private_folder(path: Path) -> Path:
    """Create `path` for this user only, with its parents; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` at once: a reader, or a crash, sees the old or the new."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in `path`; empty if the file is absent or holds anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def last_lines(path: Path, *, most: int = 15, after_bytes: int = 0) -> list[str]:
    """Return the last lines of a log, at most `most`, written after its first `after_bytes`."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(after_bytes, end - 64 * 1024))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-most:]


def move_long_log_aside(path: Path) -> int:
    """Rename a log of more than LOG_LIMIT_BYTES to `….1`; return the bytes that remain in it."""
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size_bytes <= LOG_LIMIT_BYTES:
        return size_bytes
    path.replace(path.with_name(f"{path.name}.1"))
    return 0
