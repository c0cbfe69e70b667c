"""What somebody looks for, as it is typed: words, "phrases", and -words that must not be there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from pipeline.projections.search.words import words
from pipeline.refusals import Refused

MOST_CHARACTERS = 200
MOST_WORDS = 20
MOST_HITS = 100
#: Deeper pages are slow in every store, and nobody reads them: a narrower search is better.
MOST_OFFSET = 10_000

_PART = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')

#: A word, or several that stand in a row.
Term = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Terms that must all be there, and terms none of which may be."""

    required: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()

    @property
    def folded(self) -> frozenset[str]:
        """All words that must be there."""
        return frozenset(word for term in self.required for word in term)


@dataclass(frozen=True, slots=True)
class Query:
    """A search in what a tenant has: of one user, or of all its users.

    Nothing in `sources` or `kinds` means all of them; `since` and `until` are about when an
    item was, or is to be.
    """

    tenant_id: str
    wanted: Wanted
    user_id: str | None = None
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 20
    offset: int = 0


def parse(text: str) -> Wanted:
    """Return what `text` asks for.  Raises Refused if that is nothing, or too much.

    What looks like one word but is several to us, such as `mid-week`, is a phrase.
    """
    if len(text) > MOST_CHARACTERS:
        raise Refused("q", f"at most {MOST_CHARACTERS} characters")
    required: list[Term] = []
    excluded: list[Term] = []
    for part in _PART.finditer(text):
        written = part["word"] if part["phrase"] is None else part["phrase"]
        term = tuple(word.folded for word in words(written))
        chosen = excluded if part["minus"] else required
        if term and term not in chosen:
            chosen.append(term)
    if not required:
        raise Refused("q", "expected a word to look for; only what must not be there is too little")
    if sum(map(len, required + excluded)) > MOST_WORDS:
        raise Refused("q", f"at most {MOST_WORDS} words")
    return Wanted(tuple(required), tuple(excluded))
