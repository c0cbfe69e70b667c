"""Is the data fresh, and if not, why?  The first sentence of the Overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.jobs.controls import Pause
from pipeline.jobs.looking import Seen
from pipeline.lateness import Share
from pipeline.queues import DATA_SYNC
from pipeline.sync.held import in_words
from pipeline.timetable import Planned, overdue_seconds
from pipeline.words import duration, number, percent

#: A tick that is later than this was missed.
LATE_TICK_SECONDS = 90.0
#: From this share within target on, few enough are late to be called well.
_WELL, _SO_SO = 0.99, 0.9
#: More pauses than this are only counted.
_MOST_PAUSES = 3

#: What the late ones of each status wait for; statuses that say nothing wait for their turn.
_WAITS = {
    "needs_reauth": "wait for the user to connect again",
    "rate_limited": "wait for the provider's quota",
    "error": "failed, and are tried again by themselves",
    "paused": "are paused",
    "syncing": "are being synced now",
}
_TURN = "wait for their turn"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in a sentence, and the reasons, those first that hold most back."""

    kind: Literal["ok", "warn", "bad"]
    sentence: str
    reasons: list[str] = field(default_factory=list)


def verdict(
    shares: Sequence[Share] | None,
    queues: Sequence[Seen] | None,
    pauses: Sequence[Pause],
    plans: Sequence[Planned],
    now: datetime,
) -> Verdict:
    """Return the answer; `shares` and `queues` are None if their store does not answer."""
    if shares is None:
        return Verdict("bad", "Nobody can tell how fresh the data is: MongoDB does not answer.")
    causes = [*_standstills(queues, plans, now), *_paused(pauses)]
    copies, fresh = sum(s.users for s in shares), sum(s.fresh for s in shares)
    if fresh == copies:
        return Verdict("warn" if causes else "ok", _all_fresh(copies, causes), causes)
    late = copies - fresh
    within = f"{percent(fresh / copies)} of the copies are within target"
    sentence = f"{within}; {number(late)} of {number(copies)} {_are(late)} late."
    kind: Literal["ok", "warn", "bad"] = "ok" if fresh >= _WELL * copies else "warn"
    if fresh < _SO_SO * copies:
        kind = "bad"
    elif causes:
        kind = "warn"
    return Verdict(kind, sentence, [*causes, *_late(shares)])


def _all_fresh(copies: int, causes: Sequence[str]) -> str:
    whole = "the only copy is" if copies == 1 else f"all {number(copies)} copies are"
    said = f"Yes: {whole} within target"
    return f"{said}, but not for long." if causes else f"{said}."


def _standstills(
    queues: Sequence[Seen] | None, plans: Sequence[Planned], now: datetime
) -> Iterator[str]:
    """Yield why nothing moves at all."""
    if queues is None:
        yield "No job can run: Redis does not answer."
        return
    overdue = max((overdue_seconds(plan, now) for plan in plans), default=0.0)
    if overdue > LATE_TICK_SECONDS:
        yield f"No scheduler runs: a tick is {duration(overdue)} late (python scheduler.py)."
    elif all(plan.last is None for plan in plans):
        yield "No scheduler has run yet (python scheduler.py)."
    for seen in queues:
        if seen.queue.name == DATA_SYNC.name and not seen.workers:
            yield f"No worker serves {DATA_SYNC.name} (dramatiq actors)."


def _paused(pauses: Sequence[Pause]) -> Iterator[str]:
    for pause in pauses[:_MOST_PAUSES]:
        yield f"{in_words(pause)}."
    if len(pauses) > _MOST_PAUSES:
        yield f"{number(len(pauses) - _MOST_PAUSES)} more users, tenants or sources are paused."


def _late(shares: Sequence[Share]) -> Iterator[str]:
    """Yield what the late copies wait for."""
    counted: Counter[str] = Counter()
    for share in shares:
        for status, copies in share.late.items():
            counted[_WAITS.get(status, _TURN)] += copies
    for what, copies in counted.most_common():
        yield f"{number(copies)} {what if copies != 1 else _singular(what)}."


def _singular(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{ {'wait': 'waits', 'are': 'is'}.get(verb, verb) } {rest}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
