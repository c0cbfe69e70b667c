"""Which store search uses, its first index, and the index that is about to be the next."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from models import Record, SearchRebuild
from pipeline.config import settings
from pipeline.errors import Misconfigured, Transient
from pipeline.projections.lease import held
from pipeline.projections.search.documents import fields_of
from pipeline.projections.search.mongodb import MongoDBSearch
from pipeline.projections.search.store import SearchStore
from pipeline.projections.watermark import Watermark
from pipeline.stores import Row, collection

NAME = "search"
_LEASE = "search-index"
watermark = Watermark(NAME, fields_of)


def store() -> SearchStore:
    """Return the store of SEARCH_URL, else MongoDB.  Raises Misconfigured without its client."""
    if not settings().search_url.get_secret_value():
        return MongoDBSearch()
    try:
        from pipeline.projections.search.opensearch import OpenSearchStore
    except ImportError:
        raise Misconfigured(
            "SEARCH_URL is set, but opensearch-py is not installed: pip install headrace[search]"
        ) from None
    return OpenSearchStore()


def stores() -> list[SearchStore]:
    """Return the store that is used, and MongoDB, which may have been used before."""
    here = store()
    return [here] if here.name == MongoDBSearch.name else [here, MongoDBSearch()]


def count(user_id: str) -> int:
    """Return how many documents of a user there are, wherever searches have looked into."""
    return sum(here.count(user_id) for here in stores())


def ping() -> None:
    """Return if the store answers; raise Transient or Misconfigured that says why it does not."""
    store().ping()


def current_index() -> str:
    """Return the index that is looked into; the first one is made here.

    Raises Transient while another process is making it.
    """
    here = store()
    if (found := here.current()) is not None:
        return found
    with held(_LEASE, here.name) as lease:
        if lease is None:
            raise Transient("another process is making the search index")
        return here.current() or _first(here)


def _first(here: SearchStore) -> str:
    """Make an index, and have it filled with all that has landed before."""
    # First: what lands from now on is followed, the rest will be gone through.
    watermark.adopt()
    begun = under_way()
    if begun is not None and begun["index"] not in here.indexes():
        end(begun)
        begun = None
    row = begun or begin(here, former=None, by="itself")
    here.switch(row["index"])
    return str(row["index"])


def begin(here: SearchStore, *, former: str | None, by: str) -> Row:
    """Make an index that is to be filled, and return the row that says so.

    Raises DuplicateKeyError if there is such a row.
    """
    row: Row = {
        "_id": uuid4().hex,
        "store": here.name,
        "index": here.create(),
        "former": former,
        "status": "filling",
        "records": 0,
        "total": collection(Record).estimated_document_count(),
        "by": by,
        "started_at": datetime.now(UTC),
    }
    try:
        collection(SearchRebuild).insert_one(row)
    except Exception:
        here.drop(row["index"])
        raise
    return row


def under_way() -> Row | None:
    """Return the rebuild of the present store that is not done."""
    wanted = {"store": store().name, "status": {"$ne": "done"}}
    return collection(SearchRebuild).find_one(wanted)


def end(row: Row) -> None:
    """Have a rebuild be done."""
    done = {"status": "done", "done_at": datetime.now(UTC)}
    row.update(done)
    collection(SearchRebuild).update_one({"_id": row["_id"]}, {"$set": done})
