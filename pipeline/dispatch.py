"""Sending jobs by name: used by scheduler, web, command line and actors, which alone are
imported by workers only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.jobs.sending import Send, Sent, enqueue

#: Jobs that one script enqueues: more would hold Redis up.
BATCH = 500


def send(
    job: str,
    *args: Any,
    delay_seconds: float = 0,
    tenant_id: str = "",
    job_id: str | None = None,
    once: str | None = None,
) -> Sent:
    """Enqueue `job`, unless one with its id waits, is delayed or runs: then that is returned.

    `args` are ids: a message carries identity, never data.  A delay is for
    seconds to minutes; what waits longer is state with a due time.  Raises
    Misconfigured for an unknown job, Permanent for arguments that do not fit.
    """
    [sent] = enqueue([Send(job, args, delay_seconds, tenant_id, job_id, once)])
    return sent


def send_many(sends: Iterable[Send]) -> list[Sent]:
    """Enqueue any number of jobs, in batches."""
    sent: list[Sent] = []
    rest = list(sends)
    for start in range(0, len(rest), BATCH):
        sent += enqueue(rest[start : start + BATCH])
    return sent
