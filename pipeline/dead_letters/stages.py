"""Replaying a group in stages: one letter, then ten, then the rest in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

CANARIES = (1, 10)
#: Letters of the rest that are under way at once: enough to keep workers busy, and no more lost
#: than these when it turns out that they fail after all.
BATCH = 100
#: A greater share of the rest that fails stops the replay.
MOST_FAILED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """Letters that are replayed together.  A canary stops at its first failure."""

    name: str
    letter_ids: tuple[str, ...]
    canary: bool = True


@dataclass(slots=True)
class StageReport:
    """What became of a stage.

    `unanswered` had no outcome in time and are still being replayed; `taken`
    are those that somebody else has acted on meanwhile.
    """

    name: str
    letters: int
    canary: bool
    completed: int = 0
    failed: int = 0
    unanswered: int = 0
    taken: int = 0


@dataclass(slots=True)
class Report:
    """What became of replaying a group.

    `stopped` says why it went no further, and is empty where it came to its
    end; `left` letters are open as they were.  `refused` are letters that this
    release cannot replay and `failures` a few of those that failed again, each
    by letter id with the reason.
    """

    fingerprint: str
    stages: list[StageReport] = field(default_factory=list)
    stopped: str = ""
    left: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def completed(self) -> int:
        """Return how many letters are replayed."""
        return sum(stage.completed for stage in self.stages)

    @property
    def failed(self) -> int:
        """Return how many letters failed again; they are open."""
        return sum(stage.failed for stage in self.stages)


def stages(letter_ids: Sequence[str]) -> Iterator[Stage]:
    """Return the stages in which to replay letters, each letter in one of them.

    Neighbours in the list may be of one user or one minute, so the canaries are
    drawn by a hash: from anywhere, and the same ones each time.
    """
    ordered = sorted(letter_ids, key=lambda name: blake2b(name.encode()).digest())
    at = 0
    for size in CANARIES:
        if chosen := tuple(ordered[at : at + size]):
            yield Stage(f"canary of {len(chosen)}", chosen)
        at += size
    for start in range(at, len(ordered), BATCH):
        yield Stage("rest", tuple(ordered[start : start + BATCH]), canary=False)


def why_stop(done: Sequence[StageReport]) -> str:
    """Return why nothing may follow after the stages that are `done`, or nothing."""
    last = done[-1]
    if last.unanswered:
        return (
            f"{last.unanswered} of {last.letters} had no outcome in time; "
            "do they have workers, are they paused? The same command again carries on with them"
        )
    if last.canary:
        if last.failed:
            return f"{last.failed} of {last.letters} failed again ({last.name})"
        if not last.completed:
            return "somebody else acts on the canary"
        return ""
    failed = sum(stage.failed for stage in done if not stage.canary)
    ended = failed + sum(stage.completed for stage in done if not stage.canary)
    if failed > ended * MOST_FAILED_SHARE:
        return f"{failed} of {ended} of the rest failed again, more than {MOST_FAILED_SHARE:.0%}"
    return ""
