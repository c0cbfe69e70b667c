"""What is wrong with a plan, and where in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import Permanent


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a plan, such as nodes[2].transitions[0].within."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidPlan(Permanent):
    """A plan cannot be taken; `problems` are all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = list(problems)
