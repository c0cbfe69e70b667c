"""Time zones of our own making, whose clocks are changed while a run is on.

Python reads zones from the folders in PYTHONTZPATH before those of the system
(https://docs.python.org/3/library/zoneinfo.html), so that no clock has to be faked.
"""

from __future__ import annotations

import os
import struct
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

#: When everybody's night is, in these runs: a minute, so that it is over within one.
QUIET_START, QUIET_END = "03:00", "03:01"
_HOUR = 3600
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Clock:
    """A zone: what its clock shows as the run begins, and by how much it is changed, and when."""

    name: str
    shows: str
    change_hours: int = 0
    change_after_seconds: int = 0


CLOCKS = (
    # The night is nowhere near.
    Clock("Noon", "12:00:00"),
    # It begins 20 seconds into the run.
    Clock("Dusk", "02:59:40"),
    # At two it is three, and the night begins.
    Clock("Spring", "01:59:40", +1, 20),
    # At four it is three, and the night begins a second time.
    Clock("Autumn", "03:59:40", -1, 20),
    # It is night, and the clock is put back to before it.
    Clock("Early", "03:00:20", -1, 20),
)


def put_up(folder: Path) -> None:
    """Have this process, and those that it starts, look for zones in `folder` first."""
    path = [str(folder), *(part for part in zoneinfo.TZPATH if part != str(folder))]
    os.environ["PYTHONTZPATH"] = os.pathsep.join(path)
    zoneinfo.reset_tzpath(path)


def write(folder: Path, prefix: str, begin: datetime) -> dict[str, str]:
    """Write the zones of a run that begins at `begin` (UTC); return their names by clock.

    What looks for names of zones does so once: those of all runs are written before any begins,
    and each run's again when it does.
    """
    names = {clock.name: f"{prefix}/{clock.name}" for clock in CLOCKS}
    for clock in CLOCKS:
        path = folder / names[clock.name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_zone(clock, begin.replace(microsecond=0)))
    zoneinfo.ZoneInfo.clear_cache()
    return names


def _zone(clock: Clock, begin: datetime) -> bytes:
    """Return a zone as TZif, version 1: https://www.rfc-editor.org/rfc/rfc8536"""
    hours, minutes, seconds = map(int, clock.shows.split(":"))
    of_day = begin - begin.replace(hour=0, minute=0, second=0)
    shown = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    # The nearest of the offsets that make the clock show this, for none is larger than a day.
    offset = int((shown - of_day).total_seconds() + _DAY // 2) % _DAY - _DAY // 2
    changes = []
    if clock.change_hours:
        changes.append(int(begin.timestamp()) + clock.change_after_seconds)
    offsets = [offset, offset + clock.change_hours * _HOUR]
    names = b"STD\0DST\0"
    return b"".join(
        [
            struct.pack(">4sc15x6l", b"TZif", b"\0", 0, 0, 0, len(changes), 2, len(names)),
            *(struct.pack(">l", at) for at in changes),
            *(b"\1" for _ in changes),
            *(struct.pack(">lbB", at, n, 4 * n) for n, at in enumerate(offsets)),
            names,
        ]
    )
