"""Numbers and times as people read them, the same in every place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches


def number(value: int) -> str:
    """Return a whole number with thousands apart."""
    return f"{value:,}"


def counted(amount: int, thing: str) -> str:
    """Return how many of a thing there are: "1 record", "1,200 records"."""
    return f"{number(amount)} {thing}{'' if amount == 1 else 's'}"


_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float | None) -> str:
    """Return a duration in its one or two largest units: "3 s", "4 min", "2 h 5 min"."""
    if seconds is None:
        return "–"
    left = max(0, round(seconds))
    if left == 0:
        return "0 s"
    first = next(index for index, (size, _) in enumerate(_UNITS) if left >= size)
    parts = []
    # Seconds beside minutes say nothing that a person acts on.
    for size, unit in _UNITS[first : first + 2] if first < 2 else _UNITS[first : first + 1]:
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts)


def age(moment: datetime | None, now: datetime) -> str:
    """Return how long ago `moment` was, or in what time it will be."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return f"{duration(seconds)} ago" if seconds > -0.5 else f"in {duration(-seconds)}"


def percent(share: float) -> str:
    """Return a share as a percentage, never rounded up to 100."""
    return "100%" if share >= 1 else f"{min(share * 100, 99.9):.1f}%"


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """Return which of `known` is most like `name`, or None if none is alike."""
    folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the nearest of `known`, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""
