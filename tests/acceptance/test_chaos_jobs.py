"""`headrace chaos jobs` as a person runs it, with short timeouts and few jobs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command_line import document, headrace
from processes import ROOT

pytestmark = pytest.mark.timeout(240)

HEADRACE = [sys.executable, "-c", "from pipeline.cli.main import main; main()"]
#: Workers kill themselves, Redis is killed twice and frozen, MongoDB is killed: in half a minute.
SMALL = ("chaos", "jobs", "--seed", "275", "--fast", "--jobs", "40", "--seconds", "7")


@pytest.mark.long
def test_every_job_ends_as_its_plan_states_whatever_is_killed() -> None:
    done = subprocess.run([*HEADRACE, *SMALL, "--json"], cwd=ROOT, capture_output=True, text=True)
    verdict = json.loads(done.stdout)
    [seed] = verdict["seeds"]
    assert seed["violations"] == []
    assert (verdict["passed"], done.returncode) == (True, 0)
    assert seed["dead_letters"].keys() >= {"attempts_spent", "permanent", "killed_worker"}
    assert seed["recoveries"]["count"] > 0
    assert f"plan {seed['plan_hash']}" in done.stderr


def test_a_plan_can_be_read_before_it_is_played() -> None:
    [plan] = document(*SMALL, "--plan")
    assert len(plan["jobs"]) == 40
    kinds = {(fault["target"], fault["kind"]) for fault in plan["faults"]}
    assert kinds >= {("redis", "kill"), ("redis", "freeze"), ("mongodb", "kill")}
    shown = headrace(*SMALL, "--plan").output
    assert f"seed 275, plan {plan['hash']}" in shown


@pytest.mark.parametrize("seed", ["one", "3..1"])
def test_wrong_seeds_are_wrong_use(seed: str) -> None:
    result = headrace("chaos", "jobs", "--seed", seed)
    assert result.exit_code == 2
    assert f"--seed {seed}: expected" in result.output
