"""One analysis in a process of its own: `python -m benchmarks.mailbox.analyzing USER MAILBOX`.

Prints what it took as JSON.  The growth is from after the stores were opened to the peak.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import psutil

from pipeline.mailbox.patterns.analysis import analyze
from pipeline.stores import mongodb

_KIB = 1024
_STATUS = Path("/proc/self/status")


def main() -> None:
    """Analyze, and say how long it took and how far memory grew."""
    _, user_id, mailbox_id = sys.argv
    mongodb()
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    done = analyze(user_id, mailbox_id)
    seconds = time.monotonic() - begun
    peak = _peak_bytes()
    taken = {"seconds": seconds, "grown_bytes": max(0, peak - before), "peak_bytes": peak}
    print(json.dumps(taken | {"suggested": done.suggested, "detected": done.detected}))


def _peak_bytes() -> int:
    """Return the most memory that this process has held.

    Linux hands the peak of getrusage on from the process that started this one.
    """
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(peak) * _KIB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * _KIB


if __name__ == "__main__":
    main()
