"""The sources that can be pushed."""

from __future__ import annotations

from pipeline.errors import Permanent
from pipeline.push.google_calendar import CalendarChannels
from pipeline.push.google_gmail import GmailWatch
from pipeline.push.microsoft_mail import MicrosoftMailSubscription
from pipeline.push.registration import Kind

_ALL: tuple[Kind, ...] = (CalendarChannels(), GmailWatch(), MicrosoftMailSubscription())
KINDS: dict[str, Kind] = {kind.source: kind for kind in _ALL}


def kind_of(source: str) -> Kind:
    """Return how `source` is pushed; raises Permanent if it cannot be."""
    if source not in KINDS:
        raise Permanent(f"{source} cannot be pushed; only {' and '.join(KINDS)} can")
    return KINDS[source]
