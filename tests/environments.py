"""The environment of processes that tests start."""

from __future__ import annotations

import os

from pipeline.worker_metrics import FOLDER_VARIABLE


def environment() -> dict[str, str]:
    """Return ours, without the metrics folder that importing `actors` into a test has made."""
    return {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
