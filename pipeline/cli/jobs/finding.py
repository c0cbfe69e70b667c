"""The job that a person named."""

from __future__ import annotations

from pipeline.cli.exits import WrongUse
from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import find
from pipeline.probes import require


def runs(identifier: str) -> list[Entry]:
    """Return the runs of a job, that which is alive or the latest first.

    Raises WrongUse if history has none, Transient if Redis does not answer.
    """
    require("redis")
    found = find(identifier)
    if not found:
        raise WrongUse(
            f"there is no job {identifier!r}, or its history is gone; "
            "see `headrace jobs list --search …`"
        )
    return found
