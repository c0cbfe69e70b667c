"""Several seeds, one after the other, on one set of stores."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.pace import Pace
from benchmarks.chaos.plan import Plan
from benchmarks.chaos.progress import Progress
from benchmarks.chaos.run import play
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.verdict import Verdict, judge


def play_all(plans: Sequence[Plan], pace: Pace, *, keep: bool) -> list[Verdict]:
    """Play every plan and judge it; with `keep`, what a failing one has left stays."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-chaos-"))
    verdicts: list[Verdict] = []
    try:
        stage = Stage(folder, pace)
        with Progress() as progress, stage.open():
            for plan in plans:
                verdicts.append(_play_one(stage, plan, progress, keep=keep))
    finally:
        shutil.rmtree(folder / "stores", ignore_errors=True)
        done = len(verdicts) == len(plans) and all(verdict.passed for verdict in verdicts)
        if done or not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return verdicts


def _play_one(stage: Stage, plan: Plan, progress: Progress, *, keep: bool) -> Verdict:
    progress.begin(plan)
    folder = stage.folder / f"seed-{plan.seed}"
    outcome = play(stage, plan, folder, progress)
    verdict = judge(plan, outcome)
    progress.end(verdict)
    if keep and not verdict.passed:
        _write(folder, plan, outcome, verdict)
        progress.event(f"kept in {folder}")
    else:
        shutil.rmtree(folder)
    return verdict


def _write(folder: Path, plan: Plan, outcome: Outcome, verdict: Verdict) -> None:
    """Write what a person needs beside the logs to find out what went wrong."""
    for name, row in (("plan", plan), ("outcome", outcome), ("verdict", verdict)):
        text = json.dumps(dataclasses.asdict(row), indent=1, default=str)
        (folder / f"{name}.json").write_text(text)
