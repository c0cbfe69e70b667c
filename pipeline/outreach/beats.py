"""Beats: timers of a tenant that are due within the same half second fire together, at its end.

One job and a few transactions then do for any number of timers what would take each of them a
dozen round trips.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_LENGTH = timedelta(seconds=0.5)
_EPOCH = datetime.fromtimestamp(0, UTC)
#: As MongoDB keeps times: a beat must not depend on what is cut off.
_KEPT = timedelta(milliseconds=1)
MILLISECONDS = _LENGTH // _KEPT
#: Stands for all that is due, whenever that was.
OVERDUE = 0


def beat_of(due_at: datetime) -> int:
    """Return the number of the beat in which something is due."""
    return -(-((due_at - _EPOCH) // _KEPT) // MILLISECONDS)


def begin_of(beat: int) -> datetime:
    """Return when a beat begins: what is due in it is due later than that."""
    return end_of(beat - 1)


def end_of(beat: int) -> datetime:
    """Return when a beat ends, at which fires what is due in it, to the moment itself."""
    return _EPOCH + beat * _LENGTH
