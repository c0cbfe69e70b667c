"""Search: whether its store answers, and whether all that has landed is in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pymongo.errors import PyMongoError

from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.errors import HeadraceError
from pipeline.probes import mongodb_problem
from pipeline.projections import search
from pipeline.projections.search import Rebuild
from pipeline.words import age, number

#: The sweep asks for its next part every minute or so.
_LONG = timedelta(hours=6)


def check() -> Iterator[Finding]:
    """Yield what there is to say about search."""
    if mongodb_problem():  # told by the check of MongoDB
        return
    try:
        search.ping()
        found = search.status()
    except PyMongoError:
        return
    except HeadraceError as error:
        mend = "start it, or correct SEARCH_URL; without one, MongoDB is searched"
        yield wrong("search", str(error), mend)
        return
    where = f"{found.store} answers"
    if found.index is None:
        yield note("search", f"{where}; its index is made with the first record that lands")
        return
    yield ok("search", f"{where}, {number(found.documents)} documents in {found.index!r}")
    if found.rebuild is not None and found.rebuild.status == "filling":
        yield _filling(found.rebuild, datetime.now(UTC))


def _filling(rebuild: Rebuild, now: datetime) -> Finding:
    done = f"{number(rebuild.records)} of about {number(rebuild.total)} records"
    text = f"is being filled, begun {age(rebuild.started_at, now)}: {done}"
    if now - rebuild.started_at > _LONG:
        return wrong("search index", text, "see its jobs: headrace jobs list --queue indexing")
    return note("search index", text)
