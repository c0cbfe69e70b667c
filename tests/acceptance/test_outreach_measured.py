"""`headrace chaos outreach` and `headrace bench outreach` as a person runs them, but small."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from processes import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(420)]

HEADRACE = [sys.executable, "-c", "from pipeline.cli.main import main; main()"]


def document(*arguments: str) -> tuple[Any, int]:
    command = [*HEADRACE, *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return json.loads(done.stdout), done.returncode


def test_everybody_gets_each_message_once_though_workers_are_killed() -> None:
    size = ("--contacts", "3", "--seconds", "20", "--kills", "3")
    found, code = document("chaos", "outreach", "--seed", "5", *size)
    [seed] = found["seeds"]
    assert (seed["complaints"], code) == ([], 0)
    assert seed["kills"] > 0
    assert seed["received"] >= seed["contacts"] / 2


def test_a_campaign_is_measured_from_its_file_to_its_clicks() -> None:
    found, code = document("bench", "outreach", "--contacts", "30", "--timers", "10")
    assert code == 0
    rates = ("activated_per_s", "messages_per_s", "events_per_s")
    assert all(found[rate]["value"] > 0 for rate in rates)
    assert found["timer_late_p95_s"]["target"] == "below 2"
