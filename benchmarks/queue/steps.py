"""What there is to measure, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What is measured: a name for `--only`."""

    RATES = "rates"
    BULK = "bulk"
    LATENESS = "lateness"
    IDLE = "idle"
    MEMORY = "memory"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    `jobs` are enqueued and worked through in each of `rounds` by every side;
    `waiting` are enqueued where many must wait, or be delayed.
    """

    jobs: int
    rounds: int
    waiting: int
    idle_seconds: float
