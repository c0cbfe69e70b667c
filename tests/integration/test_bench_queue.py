"""`headrace bench queue`, very small: it measures all it says, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.queue.measure import measured

TARGETS = {
    "process_headrace_to_bare_dramatiq": "at least 0.75",
    "enqueue_headrace_to_bare_dramatiq": "at least 0.6",
    "bulk_enqueue_headrace_per_second": "at least 15,000",
    "worst_lateness_of_a_delayed_job_seconds": "at most 0.5",
    "idle_worker_process_percent_of_a_core": "at most 3",
    "redis_bytes_per_waiting_job": "at most 2,048",
    "search_that_finds_nothing_ms": "at most 200",
    "search_that_finds_some_ms": "at most 200",
}
BULLMQ = ["process_bullmq_per_second", "bulk_enqueue_bullmq_per_second"]


def bench(folder: Path, *options: str) -> dict[str, dict[str, object]]:
    program = [sys.executable, "-c", "from pipeline.cli.main import main; main()"]
    done = subprocess.run(
        [*program, "bench", "queue", *options, "--json"],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows: dict[str, dict[str, object]] = json.loads(done.stdout)
    assert rows.pop("machine")
    return rows


@pytest.mark.long
@pytest.mark.timeout(240)
def test_every_target_is_measured_and_nothing_is_left_behind(tmp_path: Path) -> None:
    size = ["--jobs", "300", "--rounds", "1", "--waiting", "1000", "--idle-seconds", "1"]
    rows = bench(tmp_path, *size)

    assert {name: rows[name]["target"] for name in TARGETS} == TARGETS
    for name, target in TARGETS.items():
        value, limit = rows[name]["value"], float(target.split()[-1].replace(",", ""))
        assert isinstance(value, int | float)
        assert rows[name]["met"] is (value >= limit if "least" in target else value <= limit)
    rates = [row for name, row in rows.items() if name.endswith("_per_second")]
    assert all(row["value"] > 0 for row in rates)
    # Without node, a row says so.
    assert all(name in rows for name in BULLMQ) or "not measured" in str(rows["bullmq"]["value"])
    assert list(tmp_path.iterdir()) == []
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info)]


def test_a_measure_is_the_median_of_its_runs_and_says_whether_it_meets_its_target() -> None:
    assert measured([3, 1, 2], at_least=2) == {
        "value": 2,
        "min": 1,
        "max": 3,
        "target": "at least 2",
        "met": True,
    }
    assert measured([0.514], digits=2, at_most=0.5) == {
        "value": 0.51,
        "target": "at most 0.5",
        "met": False,
    }
    assert measured([7]) == {"value": 7}
