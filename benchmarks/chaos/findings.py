"""What a run with one seed has shown, and whether all that must hold did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

#: Complaints that are told; all are counted.
_EXAMPLES = 10


@dataclass(slots=True, kw_only=True)
class Findings:
    """What every run tells: what was done to it, and what is wrong after it."""

    seed: int
    seconds: float = 0.0
    kills: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all held."""
        return not self.complaints

    def examples(self) -> list[str]:
        """Return the first complaints."""
        return self.complaints[:_EXAMPLES]


def as_document(seeds: Iterable[Findings]) -> dict[str, Any]:
    """Return what seeds have shown as JSON."""
    return {"seeds": [_shown(one) for one in seeds]}


def _shown(one: Findings) -> dict[str, Any]:
    # Not asdict, which makes no Counter of a Counter.
    return {part.name: getattr(one, part.name) for part in fields(one)} | {"passed": one.passed}
