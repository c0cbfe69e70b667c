"""How long finding the habits in a mailbox takes, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.mailbox import history
from benchmarks.queue.measure import Results, measured

ANALYSIS_SECONDS, ANALYSIS_MIB = 5, 200
_MIB = 2**20


def time_analysis(events: int, rounds: int, log: Callable[[str], None]) -> Results:
    """Analyze a mailbox with so many events anew, each time in a fresh process."""
    history.fill(events)
    taken = [_analysis(log) for _ in range(rounds)]
    history.wipe()
    seconds = [one["seconds"] for one in taken]
    grown = [one["grown_bytes"] / _MIB for one in taken]
    name = f"analysis_of_{events}_events"
    return {
        f"{name}_s": measured(seconds, digits=2, at_most=ANALYSIS_SECONDS),
        f"{name}_grows_by_mib": measured(grown, digits=1, at_most=ANALYSIS_MIB),
    }


def _analysis(log: Callable[[str], None]) -> dict[str, Any]:
    history.forget_patterns()
    command = [sys.executable, "-m", "benchmarks.mailbox.analyzing", history.USER, history.MAILBOX]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken: dict[str, Any] = json.loads(said)
    log(f"{taken['suggested']} suggested, {taken['detected']} detected: {taken['seconds']:.2f} s")
    if not taken["suggested"] + taken["detected"]:
        raise RuntimeError("the analysis found no habit in a mailbox full of them")
    return taken
