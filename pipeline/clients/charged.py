"""Calls that are charged before they are made, and made once more where that may mend them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pipeline.errors import HeadraceError, RateLimited, Transient

Answer = dict[str, Any]
Outcome = Answer | HeadraceError
R = TypeVar("R")
#: Takes the quota of so many calls, waiting at most so many seconds; None: as is set.
Take = Callable[[int, float | None], None]

#: A batch that has begun waits this long for more quota: what it has read is paid for.
_BATCH_PATIENCE_SECONDS = 10.0
#: A failure that took longer has held the thread for long enough; the job is tried again.
_QUICK_SECONDS = 5.0


def passes(outcome: Outcome, _wanted: object) -> bool:
    """Whether the same call may work a moment later."""
    return isinstance(outcome, Transient | RateLimited)


def made(
    wanted: Sequence[R],
    take: Take,
    send: Callable[[Sequence[R]], list[Outcome]],
    *,
    may_mend: Callable[[Outcome, R], bool] = passes,
    waits: tuple[float | None, float | None] = (None, None),
) -> list[Outcome]:
    """Take the units, send, and send once more what a moment's wait may mend.

    `waits` are those for quota, in seconds, before each of the two; None: as is set.
    `may_mend` says of an outcome whether what was wanted may be sent again.
    """
    first, second = waits
    try:
        take(len(wanted), first)
    except RateLimited as refused:
        return [refused] * len(wanted)
    started = time.monotonic()
    outcomes = send(wanted)
    failed = [i for i, outcome in enumerate(outcomes) if may_mend(outcome, wanted[i])]
    if not failed or time.monotonic() - started > _QUICK_SECONDS:
        return outcomes
    if any(isinstance(outcomes[i], Transient) for i in failed):
        time.sleep(random.uniform(0.1, 0.3))
    try:
        # After a 429 this waits as long as the provider asked, or gives up.
        take(len(failed), second)
    except RateLimited:
        return outcomes
    for i, outcome in zip(failed, send([wanted[i] for i in failed]), strict=True):
        outcomes[i] = outcome
    return outcomes


def made_in_batches(
    wanted: Sequence[R],
    size: int,
    take: Take,
    send: Callable[[Sequence[R]], list[Outcome]],
    *,
    may_mend: Callable[[Outcome, R], bool] = passes,
) -> list[Outcome]:
    """Do the same in batches of `size`.

    Once the quota is used up, all that follow have its RateLimited.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(wanted), size):
        part = wanted[start : start + size]
        if outcomes and isinstance(outcomes[-1], RateLimited):
            outcomes += [outcomes[-1]] * len(part)
        else:
            first = _BATCH_PATIENCE_SECONDS if outcomes else None
            waits = (first, _BATCH_PATIENCE_SECONDS)
            outcomes += made(part, take, send, may_mend=may_mend, waits=waits)
    return outcomes
