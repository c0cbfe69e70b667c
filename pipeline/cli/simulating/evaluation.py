"""What was suggested, held against the habits that people really have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: What a simulation has to reach.
LEAST_PRECISION, LEAST_RECALL = 1.0, 0.9


@dataclass(frozen=True, order=True, slots=True)
class Habit:
    """What is done with a sender's mail; `folder_id` is set for moves alone.

    `folder_path` is how people call that folder, where that is known.
    """

    kind: str
    sender_email: str
    folder_id: str = ""
    folder_path: str = field(default="", compare=False)

    @staticmethod
    def of(habit: Mapping[str, Any]) -> Habit:
        """Return a habit as the sandbox tells it."""
        found = _habit(habit["kind"], habit["sender_email"], habit.get("folder_id"))
        return replace(found, folder_path=habit.get("folder_path") or "")

    @staticmethod
    def suggested_by(pattern: Mapping[str, Any]) -> Habit:
        """Return the habit that a pattern, as it is stored, says there is."""
        action = pattern["suggested_action"]
        sender = pattern["condition"].get("sender_email")
        return _habit(action["action_type"], sender, action.get("to_folder"))

    def document(self) -> dict[str, str]:
        """Return what it is without who writes: only where the mail is from."""
        folder = {"folder": self.folder_path or self.folder_id} if self.folder_id else {}
        return {"kind": self.kind, "sender_domain": self.sender_email.rpartition("@")[2], **folder}

    def __str__(self) -> str:
        known = self.document()
        where = f" to {known['folder']}" if "folder" in known else ""
        return f"{self.kind} mail from {known['sender_domain']}{where}"


def _habit(kind: str, sender_email: str | None, folder_id: str | None) -> Habit:
    return Habit(kind, (sender_email or "").lower(), folder_id or "" if kind == "move" else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one user: habits that were found, those that were missed, and what is none."""

    user_id: str
    found: tuple[Habit, ...]
    missed: tuple[Habit, ...]
    invented: tuple[Habit, ...]


def judge(
    user_id: str, habits: Iterable[Mapping[str, Any]], patterns: Iterable[Mapping[str, Any]]
) -> Verdict:
    """Compare what the sandbox and what the stored patterns say about a user."""
    real = {Habit.of(habit) for habit in habits}
    suggested = {Habit.suggested_by(pattern) for pattern in patterns}
    return Verdict(
        user_id,
        found=tuple(sorted(habit for habit in real if habit in suggested)),  # with its path
        missed=tuple(sorted(real - suggested)),
        invented=tuple(sorted(suggested - real)),
    )


@dataclass(frozen=True, slots=True)
class Score:
    """About all users."""

    habits: int
    found: int
    invented: int

    @staticmethod
    def of(verdicts: Iterable[Verdict]) -> Score:
        """Sum up."""
        habits = found = invented = 0
        for verdict in verdicts:
            habits += len(verdict.found) + len(verdict.missed)
            found += len(verdict.found)
            invented += len(verdict.invented)
        return Score(habits, found, invented)

    @property
    def precision(self) -> float:
        """Return the share of suggestions that are habits; 1 if nothing is suggested."""
        suggested = self.found + self.invented
        return self.found / suggested if suggested else 1.0

    @property
    def recall(self) -> float:
        """Return the share of habits that are suggested; 1 if there are none."""
        return self.found / self.habits if self.habits else 1.0

    @property
    def is_good(self) -> bool:
        """Return whether nothing false is suggested, and hardly anything is missed."""
        return self.precision >= LEAST_PRECISION and self.recall >= LEAST_RECALL
