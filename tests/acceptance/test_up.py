"""`headrace up` as a person runs it: real processes in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from waiting import wait_until

from pipeline.config import Settings, env_name

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
HEADRACE = [sys.executable, "-c", "from pipeline.cli.main import main; main()"]
WORKERS = {"worker", "worker-ai-processing", "worker-webhook-process"}
CHILDREN = {"sandbox", "scheduler", "web", *WORKERS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder; the second test finds what the first has left, as a person would."""
    return tmp_path_factory.mktemp("up")


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is set but the data folder."""
    known = {env_name(field) for field in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in known}
    return {**kept, "HEADRACE_DATA_DIR": str(folder)}


def headrace(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*HEADRACE, *arguments],
        cwd=ROOT,
        env=environment(folder) | settings,
        capture_output=True,
        text=True,
        timeout=200,
    )


def document(folder: Path, *arguments: str) -> Any:
    return json.loads(headrace(folder, *arguments, "--json").stdout)


def processes_of(folder: Path) -> list[str]:
    """Return the programs that still run with something of `folder` in hand."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(folder) in word for word in words):
                found.append(process.name())
        except psutil.Error:
            continue  # it has just ended, or is another user's
    return found


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What `headrace up` prints."""
    return tmp_path / "output"


@pytest.fixture
def up(folder: Path, output: Path) -> Iterator[psutil.Popen]:
    """`headrace up --demo 1`, running."""
    with output.open("w") as printed:
        process = psutil.Popen(
            [*HEADRACE, "up", "--demo", "1"],
            cwd=ROOT,
            env=environment(folder),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.is_running():
                process.terminate()
                process.wait(60)
            sys.stdout.write(output.read_text()[-5000:])


def has_sent(folder: Path) -> bool:
    """Return whether the demo's campaign has, and learnt what became of it."""
    total = document(folder, "outreach", "campaigns", "show", "Demo")["stats"]["total"]
    return total["sent"] > 0 and total["outcomes"]["delivered"]["count"] > 0


def is_fresh(folder: Path) -> bool:
    found = document(folder, "status")
    sources = found.get("sources", [])
    return len(sources) == 5 and all(s["share"] == 1 and s["lag"] == 0 for s in sources)


@pytest.mark.long
def test_up_runs_until_ctrl_c_and_leaves_nothing_behind(
    up: psutil.Popen, folder: Path, output: Path
) -> None:
    wait_until(lambda: (folder / "env").exists() and is_fresh(folder), "fresh", 90, 0.5)
    assert (folder / "env").stat().st_mode & 0o777 == 0o600
    second = headrace(folder, "up")
    assert second.returncode == 3
    assert "runs already" in second.stderr
    assert {"REDIS_URL", "MONGODB_URI", "GRAPH_URI"} < set(document(folder, "env"))
    findings = document(folder, "doctor")["findings"]
    assert [finding for finding in findings if finding["level"] == "wrong"] == []
    wait_until(lambda: has_sent(folder), "mail of the demo's campaign", 60, 0.5)
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0
    assert processes_of(folder) == []
    assert not (folder / "env").exists()
    assert "ended with" not in output.read_text()  # no process had to be started again


@pytest.mark.long
def test_up_until_fresh_prints_one_document_and_finds_no_difference(folder: Path) -> None:
    result = headrace(folder, "up", "--demo", "2", "--exit-when-fresh", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["stopped_by"] == "fresh"
    assert report["users"] == report["verified_users"] == 2
    assert report["differences"] == 0
    assert all(count > 0 for count in report["records"].values())
    assert processes_of(folder) == []


@pytest.mark.long
def test_up_that_is_not_fresh_in_time_says_what_is_not_and_why(folder: Path) -> None:
    arguments = ("up", "--demo", "2", "--exit-when-fresh", "--timeout", "5", "--json")
    # Not one call fits into this share.
    result = headrace(folder, *arguments, QUOTA_USE_FRACTION="0.0001")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["stopped_by"] == "timeout"
    assert report["not_fresh"] > 0
    assert {"user", "source", "status", "error"} <= set(report["first"][0])
    assert {process["name"] for process in report["processes"]} == CHILDREN
    assert processes_of(folder) == []


def test_up_names_a_store_of_the_environment_that_does_not_answer(tmp_path: Path) -> None:
    result = subprocess.run(
        [*HEADRACE, "up", "--json"],
        cwd=ROOT,
        env={
            **environment(tmp_path),
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "MONGODB_URI": "mongodb://127.0.0.1:1/headrace",
            "GRAPH_URI": "bolt://127.0.0.1:1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 4
    assert "MONGODB_URI" in json.loads(result.stdout)["error"]["message"]
    assert not (tmp_path / "env").exists()
