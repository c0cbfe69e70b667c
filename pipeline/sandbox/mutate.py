"""What happens at Google while nobody looks: a weighted mix of everything that people change."""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from pipeline.sandbox.changes import Change, Put, Remove, Rename, View
from pipeline.sandbox.mutations import calendar, contacts, gmail, tasks
from pipeline.sandbox.mutations.situation import Mutation, situation

__all__ = ["MIX", "Change", "Put", "Remove", "Rename", "View", "propose", "propose_named"]

#: Every mutation and its weight.
MIX: dict[Mutation, int] = {**calendar.MIX, **gmail.MIX, **contacts.MIX, **tasks.MIX}


def propose_named(
    rng: Random, view: View, user: str, email: str, changes: int, now: datetime
) -> Iterator[tuple[str, Change]]:
    """Propose `changes` changes, each with the name of its mutation (a function's name).

    Lazy: apply each change before asking for the next, so that proposals see the state that they
    made.  A mutation of several changes is proposed whole or not at all.
    """
    seen = situation(rng, view, user, email, now)
    mutations, weights = list(MIX), list(MIX.values())
    left = changes
    while left > 0:
        mutation = rng.choices(mutations, weights)[0]
        proposed = mutation(seen)
        if len(proposed) > left:
            continue
        for change in proposed:
            yield mutation.__name__, change
        left -= len(proposed)


def propose(
    rng: Random, view: View, user: str, email: str, changes: int, now: datetime
) -> Iterator[Change]:
    """Propose exactly `changes` changes to what a user keeps; see `propose_named`.

    Users without anything get calendars, lists, contacts and mail.  `now` must be aware.
    """
    for _, change in propose_named(rng, view, user, email, changes, now):
        yield change
