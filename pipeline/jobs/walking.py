"""Walking through the jobs of queues and states in order, a part at a time.

The order is one for all: what is not delayed by when it came into its state, newest first,
then what is delayed, soonest first.  A place in it stays valid while jobs come and go.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Any, Literal

from pipeline.jobs import scripts
from pipeline.stores import redis_client

#: Jobs that one call of the script looks at: 2 to 3 ms of Redis's time.
_PART = 2000

#: `holds`: the value, in small letters, is in one of the fields; `is`: one of them is it;
#: `has_line`: it is a line of one of them.
How = Literal["holds", "is", "has_line"]


@dataclass(frozen=True, slots=True)
class Test:
    """What a job must pass; `fields` are those of its hash."""

    how: How
    value: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A job's place in the order."""

    state: str
    score_ms: int
    message_id: str

    def comes_after(self, other: Place) -> bool:
        """Return whether it comes later in the order than `other`."""
        if self.delayed != other.delayed:
            return self.delayed
        mine, others = (self.score_ms, self.message_id), (other.score_ms, other.message_id)
        return mine > others if self.delayed else mine < others

    @property
    def delayed(self) -> bool:
        """Return whether it is in the second part of the order."""
        return self.state == "delayed"

    def __lt__(self, other: Place) -> bool:
        return other.comes_after(self)

    def __str__(self) -> str:
        return f"{'due-' if self.delayed else ''}{self.score_ms}-{self.message_id}"

    @classmethod
    def parsed(cls, text: str) -> Place:
        """Return the place that `str` made `text` of.  Raises ValueError."""
        due, _, rest = text.rpartition("due-")
        score_ms, dash, message_id = rest.partition("-")
        if due or not dash or not message_id or not score_ms.isdecimal() or len(score_ms) > 15:
            raise ValueError(f"{text!r} is not a place in the list of jobs")
        return cls("delayed" if text != rest else "", int(score_ms), message_id)


#: Queue and state: what one sorted set holds.
Shelf = tuple[str, str]


def walk(
    shelves: Sequence[Shelf], tests: Sequence[Test], limit: int, after: Place | None = None
) -> list[Place]:
    """Return the first `limit` jobs behind `after` that pass all `tests`, in order.

    No call holds Redis up for more than a few ms, however many jobs there are.
    """
    found: list[Place] = []
    for delayed in (False, True):
        if len(found) < limit and not (after and after.delayed and not delayed):
            start = after if after and after.delayed == delayed else None
            trails = [
                _Trail(*shelf, start) for shelf in shelves if (shelf[1] == "delayed") == delayed
            ]
            found += _first(trails, tests, limit - len(found))
    return found


def pick(message_ids: Sequence[str], tests: Sequence[Test]) -> list[tuple[Shelf, Place]]:
    """Return those of a few hundred jobs that pass all `tests`, with where they are."""
    answer: Any = scripts.run("walk", "", "", "", "", 0, 0, _encoded(tests), *message_ids)
    found = []
    for message_id, score, queue, state in answer:
        place = Place(state.decode(), int(float(score)), message_id.decode())
        found.append(((queue.decode(), state.decode()), place))
    return found


@dataclass(slots=True)
class _Trail:
    """How far the walk through one sorted set has got."""

    queue: str
    state: str
    at: Place | None
    found: list[Place] = field(default_factory=list)
    ended: bool = False

    def may_add_before(self, last: Place | None) -> bool:
        """Return whether it may still find something that comes before `last`."""
        return not self.ended and (last is None or self.at is None or self.at < last)

    def args(self, tests: str, limit: int) -> list[Any]:
        """Return what walk.lua takes for the next part."""
        at = [self.at.score_ms, self.at.message_id] if self.at else ["", ""]
        return [self.queue, self.state, *at, max(_PART, limit), limit, tests]

    def take(self, answer: list[Any]) -> None:
        """Note what walk.lua has found."""
        ended, score, message_id, found = answer
        self.ended = bool(ended)
        if message_id:
            self.at = self._place(message_id, score)
        self.found += [self._place(*pair) for pair in zip(found[::2], found[1::2], strict=True)]

    def _place(self, message_id: bytes, score: bytes) -> Place:
        return Place(self.state, int(float(score)), message_id.decode())


def _first(trails: list[_Trail], tests: Sequence[Test], limit: int) -> list[Place]:
    """Return the first `limit` places of all trails, walking each no further than it takes."""
    encoded = _encoded(tests)
    found: list[Place] = []
    while True:
        last = found[-1] if len(found) == limit else None
        going_on = [trail for trail in trails if trail.may_add_before(last)]
        if not going_on:
            return found
        with redis_client().pipeline(transaction=False) as pipe:
            for trail in going_on:
                scripts.run("walk", *trail.args(encoded, limit), client=pipe)
            for trail, answer in zip(going_on, pipe.execute(), strict=True):
                trail.take(answer)
        found = list(islice(merge(*(trail.found for trail in trails)), limit))


def _encoded(tests: Sequence[Test]) -> str:
    fields = sorted({name for test in tests for name in test.fields})
    numbers = {name: number for number, name in enumerate(fields, start=1)}
    return json.dumps(
        [fields, [[test.how, test.value, [numbers[f] for f in test.fields]] for test in tests]]
    )
