"""Messages that were opened and links that were followed, as our own links tell.

Nobody waits for what is done here, and nothing is lost but a count if it fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pymongo

from pipeline.outreach.events.matching import rows_by
from pipeline.outreach.events.recording import recorded
from pipeline.outreach.events.told import Event, Told, bare_url

#: Visits of one transaction.
_CHUNK = 100
#: A store that does not answer for so long is away; others wait behind these.
_PATIENCE_SECONDS = 4.0
#: What comes again within this is the same visit: programs load a page more than once.
_MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader has loaded our picture, or followed a link to `url`; `is_machine`: a program."""

    message_id: str
    type: Literal["opened", "clicked"]
    at: datetime
    url: str = ""
    is_machine: bool = False

    @property
    def event_id(self) -> str:
        """The same for the same link of the same message within one minute."""
        minute = int(self.at.timestamp()) // _MINUTE_SECONDS
        parts = [self.message_id, self.type]
        if self.url:
            parts.append(hashlib.sha256(self.url.encode()).hexdigest()[:8])
        return ":".join(["headrace", *parts, str(minute)])


def note(visits: Sequence[Visit]) -> list[bool]:
    """Record visits; return of each whether its message is known.  Raises within seconds."""
    with pymongo.timeout(_PATIENCE_SECONDS):
        return _noted(visits)


def _noted(visits: Sequence[Visit]) -> list[bool]:
    known = rows_by("_id", (visit.message_id for visit in visits))
    events = [
        Event(_told(visit), known[visit.message_id])
        for visit in visits
        if visit.message_id in known
    ]
    for start in range(0, len(events), _CHUNK):
        recorded(events[start : start + _CHUNK])
    return [visit.message_id in known for visit in visits]


def _told(visit: Visit) -> Told:
    return Told(
        id=visit.event_id,
        provider="headrace",
        type=visit.type,
        occurred_at=visit.at,
        is_machine=visit.is_machine,
        data={"url": bare_url(visit.url)} if visit.url else {},
    )
