"""What every search store does, so that the rest need not know which one it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from pipeline.projections.search.documents import Change
from pipeline.projections.search.query import Query
from pipeline.stores import Row


class Match(NamedTuple):
    """A document that was found.  A higher `score` fits better; scores of one search compare."""

    id: str
    user_id: str
    source: str
    kind: str
    stream: str
    item_id: str
    thread: str
    title: str
    body: str
    people: tuple[str, ...]
    at: datetime | None
    score: float


def match_of(document_id: str, row: Row, score: float) -> Match:
    """Return a document that a store has, by its row."""
    kept = {name: row[name] for name in Match._fields if name in row}
    return Match(**kept | {"id": document_id, "people": tuple(row["people"]), "score": score})


class Matches(NamedTuple):
    """One page of what was found, the best first; `total` counts all, up to MOST_COUNTED."""

    total: int
    found: list[Match]


#: Counting further tells nobody more.
MOST_COUNTED = 10_000


class SearchStore(Protocol):
    """Where documents are found.

    All of it raises Transient if the store does not answer, Misconfigured if it does not want
    us, Permanent that names the field for a document that it does not take.
    """

    name: str

    def write(self, changes: Sequence[Change], index: str) -> None:
        """Have documents be as `changes` say, unless `index` has a newer version of one.

        Nothing older than what was deleted comes back, for a day at least.
        """

    def find(self, query: Query) -> Matches:
        """Return what the current index has; what was written a moment ago may be missing."""

    def wipe(self, user_id: str, index: str) -> int:
        """Delete all of a user from `index`; return how many documents that were."""

    def dump(self, user_id: str) -> Iterator[tuple[str, str]]:
        """Yield (id, content hash) of each document of a user, also of those just written."""

    def count(self, user_id: str | None = None) -> int:
        """Return how many documents there are, of a user or of all."""

    def current(self) -> str | None:
        """Return the index that is looked into; None if there is none yet."""

    def indexes(self) -> list[str]:
        """Return all indexes of ours, the oldest first: also new ones, and forgotten ones."""

    def create(self) -> str:
        """Make a new empty index, and return its name."""

    def switch(self, index: str) -> None:
        """Look into `index` from now on, in one step."""

    def drop(self, index: str) -> None:
        """Delete an index, if there is one of that name."""

    def ping(self) -> None:
        """Return if the store answers; raise what is wrong otherwise."""
