"""What a correct analysis makes of the days that a person lived, straight from the formulas.

Written apart from the analysis itself, so that each may be held against the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

from pipeline.sandbox.microsoft.life.behaviour import Deed
from pipeline.sandbox.microsoft.life.correspondents import HABIT_OF
from pipeline.sandbox.microsoft.life.days import Act, Letter

#: A kind of habit, the address of the sender, and the path of the folder.
Found = tuple[str, str, str]

THRESHOLDS = {"delete": 98.0, "move": 85.0, "archive": 85.0, "mark_read": 80.0}
_Z = 1.2816
_SETTLED, _RECENT = timedelta(hours=24), timedelta(days=7)
_AT_ONCE, _KNOWN_FOR = timedelta(minutes=15), timedelta(days=14)
#: What was only read may still be put away.
_PUTS_AWAY = (Deed.DELETE, Deed.MOVE, Deed.ARCHIVE)
_FEWEST_MAILS, _FEWEST_MOVES = 5, 5


def wilson(acted: int, arrived: int) -> float:
    """The lower bound of a share, one-sided at 90 %."""
    share, z2 = acted / arrived, _Z * _Z
    centre = share + z2 / (2 * arrived)
    spread = _Z * sqrt(share * (1 - share) / arrived + z2 / (4 * arrived**2))
    return (centre - spread) / (1 + z2 / arrived)


def confidence(acted: Sequence[bool], recent: Sequence[bool]) -> float:
    """In percent; each mail says whether it was acted on."""
    base, factor = 100 * wilson(sum(acted), len(acted)), 1.0
    if len(recent) >= 3:
        dropped = sum(acted) / len(acted) - sum(recent) / len(recent)
        factor = max(0.85, 1 - 0.5 * max(0.0, dropped))
    return round(base * factor, 1)


def confidences(
    letters: Iterable[Letter], acts: Iterable[Act], now: datetime
) -> Iterator[tuple[Found, float]]:
    """Every pattern that may be suggested at `now`, however unsure."""
    deeds = {act.letter.key: act for act in acts}
    by_sender: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        put_away = letter.key in deeds and deeds[letter.key].way.deed in _PUTS_AWAY
        if put_away or letter.at <= now - _SETTLED:
            by_sender[letter.sender.email].append(letter)
    for email, mails in by_sender.items():
        if len(mails) < _FEWEST_MAILS or min(m.at for m in mails) > now - _KNOWN_FOR:
            continue
        done = {mail.key: _kind(email, deeds.get(mail.key)) for mail in mails}
        for kind in {kind for kind in done.values() if kind}:
            acted = [done[mail.key] == kind for mail in mails]
            recent = [done[mail.key] == kind for mail in mails if mail.at > now - _RECENT]
            if kind[0] not in ("move", "archive") or sum(acted) >= _FEWEST_MOVES:
                yield kind, confidence(acted, recent)


_EVENTS = {
    Deed.DELETE: "deleted",
    Deed.MOVE: "moved",
    Deed.ARCHIVE: "moved",
    Deed.READ: "read",
    Deed.REPLY: "read",
    Deed.FLAG: "flagged",
    Deed.CATEGORIZE: "categorized",
}


def events_of(letters: Iterable[Letter], acts: Iterable[Act]) -> Iterator[dict[str, Any]]:
    """What an observer would have written down, all of a mail together."""
    deeds = {act.letter.key: act for act in acts}
    for letter in letters:
        mail = {"message_id": letter.key, "sender": {"email": letter.sender.email}}
        came = {"event_type": "arrived", "change_stamp": 1, "timestamp": letter.at}
        yield mail | came | {"to_folder": "inbox"}
        if act := deeds.get(letter.key):
            folder = act.way.folder or ("archive" if act.way.deed is Deed.ARCHIVE else "")
            done = {"event_type": _EVENTS[act.way.deed], "change_stamp": 2, "timestamp": act.at}
            yield mail | done | {"to_folder": folder}


def _kind(email: str, act: Act | None) -> Found | None:
    if act is None or act.way.deed not in HABIT_OF:
        return None
    if act.way.deed is Deed.READ and act.at - act.letter.at > _AT_ONCE:
        return None
    return HABIT_OF[act.way.deed], email, act.way.folder
