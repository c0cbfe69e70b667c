"""What runs with mortal workers share: their folder, their faults, and waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from benchmarks.chaos import killing
from pipeline.config import settings
from pipeline.sandbox.client import SandboxClient

#: What workers load that may die between any two side effects.
MORTAL_ACTORS = "benchmarks.chaos.mortal"
_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule of the sandbox's: of kind `kind` at `api`, at random, for the whole run."""

    api: str
    kind: str
    probability: float
    params: tuple[tuple[str, Any], ...] = ()


def give_faults(faults: Iterable[Fault], seed: int, sandbox: SandboxClient) -> None:
    """Have the sandbox misbehave."""
    for fault in faults:
        sandbox.fault(
            fault.kind,
            match={"api": fault.api},
            probability=fault.probability,
            times=None,
            params=dict(fault.params),
            seed=seed,
        )


@contextmanager
def workshop(
    changed: Mapping[str, str], log: Callable[[str], None], *, keep: bool
) -> Iterator[Path]:
    """Give a folder in which a run takes place, and `changed` settings while it does."""
    before = dict(os.environ)
    try:
        with _folder(keep=keep) as name:
            log(f"logs are in {name}")
            os.environ.update({**changed, killing.FOLDER: name})
            yield Path(name)
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def _folder(*, keep: bool) -> AbstractContextManager[str]:
    if keep:
        return nullcontext(mkdtemp(prefix="headrace-chaos-"))
    return TemporaryDirectory(prefix="headrace-chaos-")


def until(seen: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until `seen`.  Raises TimeoutError that names `what`."""
    deadline = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not in {seconds:g} s")
        time.sleep(_LOOK_SECONDS)


def rest(left: Callable[[], Mapping[str, int]], seconds: float) -> list[str]:
    """Wait until nothing is left to do; return what still is after a long time."""
    try:
        until(lambda: not left(), "rest", seconds)
    except TimeoutError:
        return [f"no rest: {count} {what}" for what, count in left().items()]
    return []
