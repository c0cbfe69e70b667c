"""Two records of what workers did: attempts, in files; effects, in MongoDB."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import backoff
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipeline.stores import Row, mongodb

FOLDER_VARIABLE = "CHAOS_WITNESS"
What = Literal["boot", "start", "end", "kills"]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that one worker process did.  `at` is in seconds since the epoch."""

    at: float
    what: What
    pid: int
    message_id: str = ""
    delivery: int = 0


def witness(what: What, message_id: str = "", delivery: int = 0) -> None:
    """Write a line that survives the death of this process in the next moment."""
    line = Line(time.time(), what, os.getpid(), message_id, delivery)
    os.write(_file(os.getpid()), f"{json.dumps(asdict(line))}\n".encode())


@cache
def _file(pid: int) -> int:
    path = Path(os.environ[FOLDER_VARIABLE]) / f"{pid}.jsonl"
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def read_witness(folder: Path) -> list[Line]:
    """Return all lines in the order of their times."""
    lines = [line for path in folder.glob("*.jsonl") for line in _lines(path)]
    return sorted(lines, key=lambda line: line.at)


def _lines(path: Path) -> Iterator[Line]:
    for text in path.read_text().splitlines(keepends=True):
        if text.endswith("\n"):  # else its process was killed while it wrote
            yield Line(**json.loads(text))


def effects() -> Collection[Row]:
    """Return the collection of effects: one document per message id, or none."""
    return mongodb()["chaos_effects"]


@backoff.on_exception(backoff.constant, PyMongoError, interval=0.5, max_time=120)
def take_effect(message_id: str) -> None:
    """Do what the job is there for: once, however often it is attempted.

    Waits for a MongoDB that is down, as a job would that has something to write.
    """
    try:
        effects().insert_one({"_id": message_id, "repeats": 0})
    except DuplicateKeyError:
        effects().update_one({"_id": message_id}, {"$inc": {"repeats": 1}})
