"""Simulated days are cut into steps, and suggestions are held against habits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.simulating.days import Plan
from pipeline.cli.simulating.evaluation import Habit, Score, Verdict, judge

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def habit(kind: str, sender_email: str, folder_id: str | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "sender_email": sender_email,
        "folder_id": folder_id,
        "folder_path": "Invoices" if folder_id else None,
    }


def pattern(action: str, sender_email: str | None, to_folder: str | None = None) -> dict[str, Any]:
    suggested = {"action_type": action, "to_folder": to_folder}
    return {"condition": {"sender_email": sender_email}, "suggested_action": suggested}


@given(st.integers(1, 85), st.integers(1, 85))
def test_steps_cover_all_days_once_and_end_now(days: int, step_days: int) -> None:
    steps = Plan(("ada",), days, 3, step_days, NOW).steps()
    assert steps[0][0] == NOW - timedelta(days=days)
    assert steps[-1][1] == NOW
    assert all(first[1] == second[0] for first, second in pairwise(steps))
    assert all(timedelta() < until - since <= timedelta(days=step_days) for since, until in steps)


def test_a_habit_is_found_when_sender_action_and_destination_agree() -> None:
    real = [
        habit("delete", "news@a.example"),
        habit("move", "billing@b.example", "folder-1"),
        habit("archive", "no-reply@c.example", "archive-id"),
        habit("mark_read", "Eve@D.example"),
    ]
    offered = [
        pattern("delete", "news@a.example"),
        pattern("move", "billing@b.example", "folder-2"),
        pattern("archive", "no-reply@c.example"),
        pattern("mark_read", "eve@d.example"),
        pattern("delete", None),
    ]
    verdict = judge("ada", real, offered)
    assert verdict.missed == (Habit("move", "billing@b.example", "folder-1"),)
    assert verdict.invented == (
        Habit("delete", ""),
        Habit("move", "billing@b.example", "folder-2"),
    )
    assert [found.document() for found in verdict.found] == [
        {"kind": "archive", "sender_domain": "c.example"},
        {"kind": "delete", "sender_domain": "a.example"},
        {"kind": "mark_read", "sender_domain": "d.example"},
    ]
    assert str(verdict.missed[0]) == "move mail from b.example to Invoices"
    assert str(verdict.invented[1]) == "move mail from b.example to folder-2"


def verdict(found: int, missed: int, invented: int) -> Verdict:
    def some(count: int, kind: str) -> tuple[Habit, ...]:
        return tuple(Habit(kind, f"{number}@a.example") for number in range(count))

    return Verdict("ada", some(found, "delete"), some(missed, "move"), some(invented, "archive"))


def test_one_false_suggestion_is_too_many_and_one_miss_in_ten_is_not() -> None:
    good = Score.of([verdict(9, 1, 0), verdict(0, 0, 0)])
    assert (good.precision, good.recall, good.is_good) == (1.0, 0.9, True)
    assert not Score.of([verdict(10, 0, 1)]).is_good
    assert not Score.of([verdict(8, 1, 0)]).is_good
    nothing = Score.of([verdict(0, 4, 0)])
    assert (nothing.precision, nothing.recall, nothing.is_good) == (1.0, 0.0, False)
    assert Score.of([]).is_good
