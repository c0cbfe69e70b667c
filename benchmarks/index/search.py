"""How many documents come into a search store, how long a search takes, and a rebuild beside it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.index import landed
from benchmarks.queue.measure import Results, measured, percentile, rounded
from benchmarks.web.stage import Log
from pipeline.config import settings
from pipeline.errors import Unfinished
from pipeline.projections import search
from pipeline.projections.search import rebuilding
from pipeline.projections.search.stores import current_index

_SEARCHES = 100
_PAUSE_SECONDS = 0.02
#: A store counts no further.
_MOST_COUNTED = 10_000


def time_stores(records: int, opensearch_url: str, log: Log) -> Results:
    """Return the measures of MongoDB's own search, and of OpenSearch where there is a URL."""
    log(f"landing {records:,} mails")
    users = landed.land(records)
    results = _time_store("mongodb", users, records, log)
    if opensearch_url:
        with _store_at(opensearch_url):
            results |= _time_store("opensearch", users, records, log)
    return results


@contextmanager
def _store_at(url: str) -> Iterator[None]:
    os.environ.update({"SEARCH_URL": url, "SEARCH_INDEX_PREFIX": f"bench-{os.getpid()}"})
    settings.cache_clear()
    try:
        yield
    finally:
        here = search.store()
        for index in here.indexes():
            here.drop(index)
        del os.environ["SEARCH_URL"], os.environ["SEARCH_INDEX_PREFIX"]
        settings.cache_clear()


def _time_store(name: str, users: Sequence[str], records: int, log: Log) -> Results:
    # The first index is made, and begins to be filled by itself, before any clock runs.
    _rebuild_to_its_end(_first_rebuild())
    landed.start_over()
    log(f"{name}: writing {records:,} documents")
    begun = time.monotonic()
    written = sum(search.advance(user).records for user in users)
    seconds = time.monotonic() - begun
    if written != records:
        raise RuntimeError(f"{written:,} records were written, not {records:,}")
    log(f"{name}: {_SEARCHES} searches")
    found = [_timed_search() for _ in range(_SEARCHES)]
    log(f"{name}: a rebuild, and searches beside it")
    watch = _Watch(min(records, _MOST_COUNTED))
    with watch:
        _rebuild_to_its_end(rebuilding.begin(by="bench"))
    rebuilt = rebuilding.latest()
    assert rebuilt is not None
    # Until it was looked into; then it waits for writers that may have stood still.
    filled_seconds = (rebuilt["switched_at"] - rebuilt["started_at"]).total_seconds()
    return {
        f"{name}_documents_per_s": {"value": rounded(records / seconds, 0)},
        f"{name}_search_ms_p95": {"value": rounded(percentile(sorted(found), 0.95) * 1000, 1)},
        f"{name}_rebuild_documents_per_s": {"value": rounded(records / filled_seconds, 0)},
        f"{name}_searches_beside_a_rebuild": {"value": watch.searches},
        f"{name}_gaps_in_their_results": measured([watch.gaps], at_most=0),
    }


def _first_rebuild() -> str:
    """Return the rebuild that makes the first index, which makes itself."""
    current_index()
    begun = rebuilding.latest()
    assert begun is not None
    return str(begun["_id"])


def _rebuild_to_its_end(rebuild_id: str) -> None:
    while True:
        try:
            rebuilding.carry_on(rebuild_id)
        except Unfinished as error:
            time.sleep(error.delay_seconds)
        else:
            return


def _timed_search() -> float:
    begun = time.monotonic()
    search.find(landed.TENANT, f"{landed.EVERYWHERE} baldor")
    return time.monotonic() - begun


class _Watch:
    """Searches for what is in all documents, again and again, and counts when some are missing."""

    def __init__(self, expected: int) -> None:
        self.searches = self.gaps = 0
        self._expected = expected
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            self.searches += 1
            found = search.find(landed.TENANT, landed.EVERYWHERE, limit=1)
            self.gaps += found.total < self._expected
