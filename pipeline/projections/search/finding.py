"""Finding what a tenant's users have, or one of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.projections.search.advance import owners
from pipeline.projections.search.documents import KINDS
from pipeline.projections.search.highlight import Segment, highlighted, snippet
from pipeline.projections.search.query import MOST_HITS, MOST_OFFSET, Query, Wanted, parse
from pipeline.projections.search.store import Match
from pipeline.projections.search.stores import store
from pipeline.refusals import Refused
from pipeline.sources import SOURCES


@dataclass(frozen=True, slots=True)
class Hit:
    """One record that was found, with the words that were looked for marked.

    `id` is that of the record, in hexadecimal; `thread` the provider's id of a mail's thread.
    A higher `score` fits better.
    """

    id: str
    user_id: str
    source: str
    kind: str
    stream: str
    item_id: str
    thread: str
    title: list[Segment]
    snippet: list[Segment]
    people: tuple[str, ...]
    at: datetime | None
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, the best first; `total` counts all of them, up to 10,000."""

    total: int
    hits: list[Hit]


def next_offset(total: int, offset: int, limit: int) -> int | None:
    """Return where the page after this one begins; None if this is the last that is shown."""
    after = offset + limit
    return after if after < min(total, MOST_OFFSET - limit + 1) else None


def find(
    tenant_id: str,
    text: str,
    *,
    user_id: str | None = None,
    sources: Sequence[str] = (),
    kinds: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 20,
    offset: int = 0,
) -> Found:
    """Return the records of a tenant, or of one user of it, that have all words of `text`.

    `text` may have "phrases", and -words that must not be there.  `since` and `until` are
    about when an item was, or is to be.
    Raises Refused that names the field for what cannot be looked for, Transient or
    Misconfigured if the search store does not answer.
    """
    wanted = parse(text)
    _check_known("source", sources, SOURCES)
    _check_known("kind", kinds, KINDS)
    if not 1 <= limit <= MOST_HITS:
        raise Refused("limit", f"expected 1 to {MOST_HITS}")
    if not 0 <= offset <= MOST_OFFSET - limit:
        raise Refused("offset", f"only the first {MOST_OFFSET:,} are shown; narrow the search")
    if since is not None and until is not None and since >= until:
        raise Refused("until", "expected a time after `since`")
    query = Query(
        tenant_id, wanted, user_id, tuple(sources), tuple(kinds), since, until, limit, offset
    )
    matches = store().find(query)
    # A document that has not learnt yet that its user has moved or gone is none of theirs.
    theirs = _users_of(tenant_id, {match.user_id for match in matches.found})
    hits = [_hit(match, wanted) for match in matches.found if match.user_id in theirs]
    return Found(matches.total - len(matches.found) + len(hits), hits)


def _users_of(tenant_id: str, user_ids: Collection[str]) -> set[str]:
    return {name for name, owner in owners(user_ids).items() if owner.tenant_id == tenant_id}


def _check_known(field: str, given: Sequence[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise Refused(field, f"there is no {field} {name[:40]!r}; there are {', '.join(known)}")


def _hit(match: Match, wanted: Wanted) -> Hit:
    folded = wanted.folded
    marked = {
        "title": highlighted(match.title, folded),
        "snippet": snippet(match.body, folded),
    }
    same = match._asdict()
    del same["body"]
    return Hit(**same | marked)
