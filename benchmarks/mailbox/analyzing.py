"""One analysis in a process of its own: `python -m benchmarks.mailbox.analyzing USER MAILBOX`.

Prints what it took as JSON.  The growth is from after the stores were opened to the peak.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import psutil

from pipeline.mailbox.patterns.analysis import analyze
from pipeline.stores import mongodb

_KIB = 1024


def main() -> None:
    """Analyze, and say how long it took and how far memory grew."""
    _, user_id, mailbox_id = sys.argv
    mongodb()
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    done = analyze(user_id, mailbox_id)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    taken = {"seconds": seconds, "grown_bytes": max(0, peak - before), "peak_bytes": peak}
    print(json.dumps(taken | {"suggested": done.suggested, "detected": done.detected}))


if __name__ == "__main__":
    main()
