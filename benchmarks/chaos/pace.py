"""How fast a chaos run goes: the production timeouts, or short ones for a quick look."""

from __future__ import annotations

from dataclasses import dataclass

#: How long after a worker was killed its jobs may start again.
RECOVERY_TARGET_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Timeouts of the workers, and what follows from them for the faults."""

    name: str
    jobs: int
    seconds: float
    """Length of the fault phase."""
    worker_timeout_seconds: float
    gap_seconds: tuple[float, float]
    """Between two faults of the same target."""
    settings: dict[str, str]

    @property
    def drain_seconds(self) -> float:
        """Return how long the jobs may take to end after the faults.

        A job that kills its worker does so three times, each found by a timeout.
        """
        return 6 * self.worker_timeout_seconds + 90


PRODUCTION = Pace(
    "production",
    jobs=600,
    seconds=120,
    worker_timeout_seconds=45,
    gap_seconds=(4, 12),
    settings={},
)
FAST = Pace(
    "fast",
    jobs=300,
    seconds=30,
    worker_timeout_seconds=4,
    gap_seconds=(2, 6),
    settings={
        "WORKER_TIMEOUT_SECONDS": "4",
        "LEASE_SECONDS": "3",
        "SWEEP_SECONDS": "0.5",
        "SHUTDOWN_GRACE_SECONDS": "3",
    },
)
