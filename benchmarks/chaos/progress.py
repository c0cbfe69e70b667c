"""What a chaos run says while it goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from benchmarks.chaos.plan import Plan
from benchmarks.chaos.verdict import Verdict

_PLAIN_EVERY_SECONDS = 20.0


class Progress:
    """Writes to standard error; may be called from several threads."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("starting Redis and MongoDB")
        self._seed = ""
        self._began = time.monotonic()
        self._last_plain = 0.0

    def begin(self, plan: Plan) -> None:
        """Say that a seed begins."""
        self._seed, self._began = f"seed {plan.seed}", time.monotonic()
        self.event(f"plan {plan.hash}: {len(plan.jobs)} jobs, {len(plan.faults)} faults")

    def end(self, verdict: Verdict) -> None:
        """Say how a seed ended."""
        self.event("passed" if verdict.passed else f"{len(verdict.violations)} violations")

    def event(self, text: str) -> None:
        """Say what has happened."""
        self._console.print(self._line(text), markup=False)

    def state(self, text: str) -> None:
        """Say how things are; off a terminal only now and then."""
        if self._console.is_terminal:
            self._status.update(self._line(text))
        elif time.monotonic() - self._last_plain > _PLAIN_EVERY_SECONDS:
            self._last_plain = time.monotonic()
            self.event(text)

    def _line(self, text: str) -> str:
        return f"{self._seed} {time.monotonic() - self._began:5.0f} s  {text}"

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()
