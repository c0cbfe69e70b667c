"""What was read from a delivery, and what could not be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pydantic import ValidationError

from pipeline.outreach.events.told import Told

#: Problems that a delivery tells one by one.
_MOST_PROBLEMS = 100


@dataclass(slots=True)
class Reading:
    """`malformed` entries are named in `problems`, by path and without what they hold; `skipped`
    are those that are not for us, by reason."""

    told: list[Told] = field(default_factory=list)
    malformed: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def refuse(self, path: str, error: ValidationError) -> None:
        """Note an entry that cannot be read."""
        self.malformed += 1
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join([path, *map(str, first["loc"])])
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{field}: {first['msg']}")

    def skip(self, reason: str, times: int = 1) -> None:
        """Note entries that are not for us."""
        self.skipped[reason] += times

    def told_problems(self) -> list[str]:
        """Return all that a person may want to know, in words."""
        skipped = [f"{times} skipped: {why}" for why, times in sorted(self.skipped.items())]
        return [*self.problems, *skipped]
