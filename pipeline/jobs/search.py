"""Searching jobs: by user, job id, job, error, or any other of a few terms.

    alice  user:alice  job:sync  state:failed  error:Transient  "two words"

All terms must hold.  A bare one is looked for in job id, job and error.  Of a hundred thousand
waiting jobs the errors are not read for that: the ids of all living jobs are in one hash, which
Redis looks through by itself.  The page then says where only ids were looked at; error: reads
the errors.  Terms such as user: are looked up there too, where the table says that ids hold
users; of jobs that were sent with ids of their own, those must.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from pipeline.jobs import identity, layout
from pipeline.jobs.reading import Page, page_of
from pipeline.jobs.walking import Place, Shelf, Test, pick, walk
from pipeline.queues import JOBS, QUEUES, Scope
from pipeline.stores import redis_client

#: So many living jobs are walked through one by one, the rest by their ids: some 30 ms.
_WALKED = 20_000
#: A term that fits more ids than this is not rare: walking soon finds a page full of it.
_RARE = 500
#: Entries of the hash of ids that one call of HSCAN looks at: about 1 ms.
_SCANNED = 5000

_SCOPES: tuple[str, ...] = tuple(scope for scope in get_args(Scope) if scope != "queue")
#: Terms with a name, and the fields that must be equal to their value.
_EXACT = {
    "id": "job_id",
    "job": "job",
    "actor": "job",
    "correlation": "correlation",
    "worker": "worker",
}
#: What may stand in front of a colon; anything else there is a part of the text.
TERMS = (*_SCOPES, *_EXACT, "error", "queue", "state")
_TERM = re.compile(r'(?:(?P<name>\w+):)?(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))')


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; the name is one of TERMS, or empty for text to be found anywhere."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks for: every term, in one of the queues, in one of the states."""

    terms: tuple[Term, ...] = ()
    queues: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @property
    def shelves(self) -> list[Shelf]:
        """Return where to look; no queue or state given means all."""
        queues, states = self.queues or tuple(QUEUES), self.states or layout.STATES
        return [(queue, state) for queue in queues for state in states]


def parsed(text: str) -> Query:
    """Return the query that a person typed.  Names of queues and states are not checked."""
    terms = []
    for found in _TERM.finditer(text):
        name = found["name"] or ""
        value = found["quoted"] if found["quoted"] is not None else found["bare"]
        if name not in TERMS:  # such as the beginning of a job id
            name, value = "", f"{name}:{value}" if name else value
        if value:
            terms.append(Term(name, value))
    return Query(
        tuple(term for term in terms if term.name not in ("queue", "state")),
        tuple(dict.fromkeys(term.value for term in terms if term.name == "queue")),
        tuple(dict.fromkeys(term.value for term in terms if term.name == "state")),
    )


def search(query: Query, *, limit: int, before: Place | None = None) -> Page:
    """Return the next `limit` jobs behind `before` that the query asks for.

    Newest first; delayed ones come last, soonest first.
    """
    tests = [_test(term) for term in query.terms]
    patterns = _id_patterns(query.terms)
    crowded = _crowded(query.shelves) if patterns else set()
    rare, ids_only = _rare_ids(patterns) if crowded else (None, False)
    if rare is None:
        return page_of(walk(query.shelves, tests, limit + 1, before), limit)
    picked = pick(rare, tests) if rare else []
    places = [p for shelf, p in picked if shelf in crowded and (before is None or before < p)]
    others = [shelf for shelf in query.shelves if shelf not in crowded]
    places += walk(others, tests, limit + 1, before)
    # A job that went on meanwhile may have been found twice.
    once = {place.message_id: place for place in places}
    page = page_of(sorted(once.values()), limit)
    return replace(page, ids_only=tuple(sorted(crowded))) if ids_only else page


def _test(term: Term) -> Test:
    if term.name in _SCOPES:
        return Test("has_line", f"{term.name}:{term.value}", ("lane",))
    if term.name in _EXACT:
        return Test("is", term.value, (_EXACT[term.name],))
    fields = ("error",) if term.name == "error" else ("job_id", "job", "error")
    return Test("holds", _folded(term.value), fields)


def _folded(text: str) -> str:
    """Return ASCII letters as small ones, as Lua does."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _id_patterns(terms: Sequence[Term]) -> list[tuple[str, bool]]:
    """Return patterns of ids, and of each whether jobs may fit that have the text elsewhere;
    those of which none does come first."""
    named = [(pattern, False) for term in terms if (pattern := _pattern_of_named(term))]
    bare = [term.value for term in terms if not term.name and not _names_jobs(term.value)]
    return named + [(f"*{_glob(text)}*", True) for text in bare]


def _pattern_of_named(term: Term) -> str | None:
    if term.name == "id":
        return _glob(term.value)
    if term.name in _SCOPES and _in_ids(term.name):
        # Inside an id these two are written in another way.
        return "*".join(["", *map(_glob, re.split("[:%]", term.value)), ""])
    return None


def _names_jobs(text: str) -> bool:
    """Return whether `text` is a part of the name of a job whose ids do not hold it."""
    folded = _folded(text)
    return any(
        folded in _folded(job.name) and folded not in _folded(job.id_pattern)
        for job in JOBS.values()
    )


def _in_ids(scope: str) -> bool:
    """Return whether the id of every job that has such a scope holds its value."""
    having = holding = 0
    for job in JOBS.values():
        marks = {argument: f"<{argument}>" for argument in job.arguments}
        lines = dict(line.split(":", 1) for line in identity.lane("", marks).split("\n") if line)
        having += scope in lines
        holding += scope in lines and lines[scope] in identity.job_id(job, marks)
    return having == holding > 0


def _glob(text: str) -> str:
    """Return a pattern of Redis for `text`, with capital or small letters."""

    def one(letter: str) -> str:
        if letter.isascii() and letter.isalpha():
            return f"[{letter.lower()}{letter.upper()}]"
        return f"\\{letter}" if letter in "*?[]^-\\" else letter

    return "".join(map(one, text))


def _crowded(shelves: Sequence[Shelf]) -> set[Shelf]:
    """Return where more living jobs are than one should walk through."""
    alive = [shelf for shelf in shelves if shelf[1] not in ("completed", "failed")]
    pipe: Any = redis_client().pipeline(transaction=False)
    for shelf in alive:
        pipe.zcard(layout.of_queue(*shelf))
    crowded, walked = set(), 0
    for size, shelf in sorted(zip(pipe.execute(), alive, strict=True)):
        walked += size
        if walked > _WALKED:
            crowded.add(shelf)
    return crowded


def _rare_ids(patterns: Sequence[tuple[str, bool]]) -> tuple[list[str] | None, bool]:
    """Return the message ids of living jobs whose ids fit the first pattern that is rare, and
    whether there may be more than those; None if all patterns fit many."""
    for pattern, only_ids in patterns:
        found = _ids_like(pattern)
        if found is not None:
            return found, only_ids
    return None, False


def _ids_like(pattern: str) -> list[str] | None:
    """Return the message ids of living jobs whose id fits, or None if those are many."""
    found: dict[bytes, bytes] = {}
    cursor: Any = 0
    while True:
        answer: Any = redis_client().hscan(layout.LIVE, cursor, match=pattern, count=_SCANNED)
        cursor, part = answer
        found |= part
        if len(found) > _RARE:
            return None
        if cursor == 0:
            return [message_id.decode() for message_id in found.values()]
