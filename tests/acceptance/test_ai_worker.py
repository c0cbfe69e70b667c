"""Workers of AI as an operator runs them: with processes of their own, killed and begun again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import WORKER, kill_group, running
from waiting import wait_until

from models import AiRequest, AiUsage, DeadLetter
from pipeline.platform import ai
from pipeline.stores import Row, collection

pytestmark = [pytest.mark.usefixtures("stores"), pytest.mark.timeout(240)]

AI_WORKER = [*WORKER, "-Q", "ai-processing"]
HASTY = {"LEASE_SECONDS": "1", "WORKER_TIMEOUT_SECONDS": "2", "SWEEP_SECONDS": "0.3"}
NOTE = "The invoice of the printer is due on Friday. Please pay it by bank transfer. "


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where the processes write; shown when the test fails."""
    path = tmp_path / "log"
    yield path
    sys.stdout.write(path.read_text()[-5000:])


def ask(count: int, *, text: str = NOTE) -> list[Row]:
    return [
        ai.ask(f"tenant-{number % 3}", "generate-summary", content=f"{text}{number}.", by="test")
        for number in range(count)
    ]


def statuses() -> list[str]:
    return sorted(collection(AiRequest).distinct("status"))


def test_a_worker_answers_what_was_asked_and_sets_aside_what_it_cannot(log: Path) -> None:
    [spoilt, *asked] = ask(12)
    collection(AiRequest).update_one({"_id": spoilt["_id"]}, {"$unset": {"content": ""}})
    with running(AI_WORKER, log):
        wait_until(lambda: statuses() == ["done", "failed"], "all are answered", 60)
        wait_until(lambda: collection(DeadLetter).count_documents({}) == 1, "a dead letter")
    assert collection(AiRequest).count_documents({"status": "done"}) == len(asked)
    [letter] = collection(DeadLetter).find()
    # A permanent refusal is tried once.
    assert (letter["job"], letter["reason"], letter["attempts"]) == ("run_ai", "permanent", 1)
    assert NOTE not in str(letter)


@pytest.mark.long
def test_what_a_killed_worker_was_at_is_answered_once(log: Path) -> None:
    # Long enough that some are under way when it is killed.
    lines = " ".join(f"{NOTE}Line {number} is about nothing." for number in range(500))
    asked = ask(6, text=lines)
    with running(AI_WORKER, log, **HASTY) as worker:
        wait_until(lambda: "running" in statuses(), "some are under way", 60)
        kill_group(worker)
    with running(AI_WORKER, log, **HASTY):
        wait_until(lambda: ai.find() and statuses() == ["done"], "all are answered", 120)
    assert collection(AiRequest).count_documents({}) == len(asked)
    assert collection(AiUsage).count_documents({"answered": True}) >= len(asked)
    assert collection(DeadLetter).count_documents({}) == 0
