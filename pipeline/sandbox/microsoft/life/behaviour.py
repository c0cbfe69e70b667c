"""What people do with the mail of one sender: with which share of it, what, and how soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random


class Deed(StrEnum):
    """What may be done with a mail."""

    READ = "read"
    DELETE = "delete"
    MOVE = "move"
    ARCHIVE = "archive"
    FLAG = "flag"
    CATEGORIZE = "categorize"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that is done with a share of a sender's mail.

    It happens so many seconds after the mail came: `soonest`, `latest`.  `folder` is the path
    of the folder for a move.
    """

    deed: Deed
    share: float
    soonest: int
    latest: int
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All that is done with a sender's mail; what is left of the shares is left alone.

    From `ends` on nothing is done any more.
    """

    ways: tuple[Way, ...] = ()
    ends: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse shares that are more than all mail."""
        if sum(way.share for way in self.ways) > 1 + 1e-9:
            raise ValueError("the shares of what is done with a sender's mail exceed 1")

    def choose(self, random: Random, received_at: datetime) -> tuple[Way, datetime] | None:
        """Decide what is done with one mail, and when; None if nothing is."""
        luck, delay = random.random(), random.random()
        if self.ends is not None and received_at >= self.ends:
            return None
        for way in self.ways:
            if luck < way.share:
                seconds = way.soonest + int(delay * (way.latest - way.soonest))
                return way, received_at + timedelta(seconds=seconds)
            luck -= way.share
        return None


MINUTE, HOUR = 60, 3600
#: The longest that anybody waits before doing something with a mail.
LONGEST_DELAY = timedelta(hours=20)


def deletes(share: float) -> Way:
    return Way(Deed.DELETE, share, 20 * MINUTE, 9 * HOUR)


def files(share: float, folder: str) -> Way:
    return Way(Deed.MOVE, share, 30 * MINUTE, 10 * HOUR, folder)


def archives(share: float) -> Way:
    return Way(Deed.ARCHIVE, share, 30 * MINUTE, 10 * HOUR)


def reads_at_once(share: float) -> Way:
    return Way(Deed.READ, share, 20, 10 * MINUTE)


def reads_later(share: float) -> Way:
    return Way(Deed.READ, share, 2 * HOUR, 20 * HOUR)


def flags(share: float) -> Way:
    return Way(Deed.FLAG, share, 1 * HOUR, 8 * HOUR)


def categorizes(share: float) -> Way:
    return Way(Deed.CATEGORIZE, share, 1 * HOUR, 8 * HOUR)


def replies(share: float) -> Way:
    return Way(Deed.REPLY, share, 2 * HOUR, 18 * HOUR)
