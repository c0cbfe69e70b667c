"""Workers wait here until all of them are ready, so that none has a head start.

The gate is a folder.  A worker process writes a file `ready-<process id>` into
it, and goes on when the file `open` appears.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

VARIABLE = "HEADRACE_BENCH_GATE"
_POLL_SECONDS = 0.005


def wait_at_gate() -> None:
    """Wait until the gate that the environment names opens; without one, go on."""
    if VARIABLE not in os.environ:
        return
    folder = Path(os.environ[VARIABLE])
    (folder / f"ready-{os.getpid()}").touch()
    while not (folder / "open").exists():
        time.sleep(_POLL_SECONDS)


class Gate:
    """The starter's side of a gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def ready(self) -> int:
        """Return how many worker processes wait."""
        return len(list(self.folder.glob("ready-*")))

    def open(self) -> None:
        """Let them go."""
        (self.folder / "open").touch()
