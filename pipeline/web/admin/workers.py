"""The Workers page: which processes there are, what they have in hand, how they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import load
from pipeline.jobs.walking import Place
from pipeline.jobs.workers import Worker, workers
from pipeline.release import RELEASE
from pipeline.web.pages import Visit, page
from pipeline.web.stores import part

#: Of one worker, so many running jobs are shown.
_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Busy:
    """A worker, and the jobs that it runs."""

    worker: Worker
    jobs: list[Entry]

    @property
    def kind(self) -> str:
        """How it is: silent ones count as dead, their jobs run elsewhere."""
        return "silent" if self.worker.silent else "busy" if self.worker.running else "idle"


def _read(_visit: Visit) -> Mapping[str, Any]:
    return {"fleet": part("redis", _fleet, keep="workers"), "release": RELEASE}


def _fleet() -> list[Busy]:
    return [Busy(worker, _jobs_of(worker)) for worker in workers()]


def _jobs_of(worker: Worker) -> list[Entry]:
    return load([Place("", 0, message_id) for message_id in worker.running[:_MOST_SHOWN]])


routes = [page("/admin/workers", "workers", _read, title="Workers")]
