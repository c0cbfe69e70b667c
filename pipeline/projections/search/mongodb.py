"""Search in MongoDB's own text index: nothing to set up, for up to about a million documents.

https://www.mongodb.com/docs/manual/core/indexes/index-types/index-text/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel, ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from models import SearchIndex
from pipeline.errors import Permanent
from pipeline.projections.search.documents import Change
from pipeline.projections.search.query import Query, Term
from pipeline.projections.search.store import MOST_COUNTED, Matches, match_of
from pipeline.stores import Row, collection, mongodb

_PREFIX = "search_documents_"
_CURRENT = "current"
#: A word in the title says more than one in the text.
_TITLE_WEIGHT = 4
#: How long it is remembered which version was deleted.
_TOMBSTONE_SECONDS = int(timedelta(days=1).total_seconds())
_DUPLICATE_KEY = 11000
#: A word that is in so many documents of a tenant tells little.
_VERY_MANY = 1000
_INDEXES = (
    IndexModel(
        [("tenant_id", ASCENDING), ("title_line", TEXT), ("line", TEXT)],
        name="words",
        weights={"title_line": _TITLE_WEIGHT, "line": 1},
        # Words are folded before, of whatever language: nothing is stemmed or left out.
        default_language="none",
        language_override="no_such_field",
    ),
    IndexModel([("user_id", ASCENDING)], name="user"),
    IndexModel([("deleted_at", ASCENDING)], name="ttl", expireAfterSeconds=_TOMBSTONE_SECONDS),
)
_READ = {"line": 0, "title_line": 0, "hash": 0, "version": 0}


class MongoDBSearch:
    """The store that needs no setting.  A row is a document, or the tombstone of one."""

    name = "mongodb"

    def write(self, changes: Sequence[Change], index: str) -> None:
        """Replace rows by newer ones: the unique `_id` refuses an older one."""
        now = datetime.now(UTC)
        writes = [
            ReplaceOne(
                {"_id": change.id, "version": {"$lte": change.version}},
                _row(change, now),
                upsert=True,
            )
            for change in changes
        ]
        if not writes:
            return
        try:
            _rows(index).bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            problems = (error.details or {}).get("writeErrors", [])
            codes = {problem["code"] for problem in problems} - {_DUPLICATE_KEY}
            if codes or not problems:
                raise Permanent(
                    f"MongoDB does not take search documents (codes {sorted(codes)})"
                ) from None

    def find(self, query: Query) -> Matches:
        """Let the text index find and rate what has any of the words, and keep what has all."""
        index = self.current()
        if index is None:
            return Matches(0, [])
        rows = _rows(index)
        wanted = _filter(query, _telling(rows, query))
        score: Row = {"$meta": "textScore"}
        found = rows.find(wanted, {**_READ, "score": score})
        page = found.sort([("score", score), ("at", DESCENDING), ("_id", ASCENDING)])
        matches = [
            match_of(row["_id"], row, float(row["score"]))
            for row in page.skip(query.offset).limit(query.limit)
        ]
        total = query.offset + len(matches)
        if not matches or len(matches) == query.limit:
            total = rows.count_documents(wanted, limit=MOST_COUNTED)
        return Matches(total, matches)

    def wipe(self, user_id: str, index: str) -> int:
        """Delete all of a user's rows, tombstones too."""
        whose = {"user_id": user_id}
        live = _rows(index).count_documents(whose | {"deleted_at": None})
        _rows(index).delete_many(whose)
        return live

    def dump(self, user_id: str) -> Iterator[tuple[str, str]]:
        """Yield (id, content hash) of each document of a user."""
        index = self.current()
        live = {"user_id": user_id, "deleted_at": None}
        for row in _rows(index).find(live, {"hash": 1}) if index else ():
            yield row["_id"], row["hash"]

    def count(self, user_id: str | None = None) -> int:
        """Return how many documents there are, of a user or of all."""
        index = self.current()
        if index is None:
            return 0
        if user_id is not None:
            return _rows(index).count_documents({"user_id": user_id, "deleted_at": None})
        return _rows(index).estimated_document_count()

    def current(self) -> str | None:
        """Return the collection that is looked into; None also if somebody has dropped it."""
        row = collection(SearchIndex).find_one({"_id": _CURRENT})
        if row is None or not mongodb().list_collection_names(filter={"name": row["name"]}):
            return None
        return str(row["name"])

    def indexes(self) -> list[str]:
        """Return the names of our collections."""
        ours = {"name": {"$regex": f"^{_PREFIX}"}}
        return sorted(mongodb().list_collection_names(filter=ours))

    def create(self) -> str:
        """Make a collection with its indexes."""
        name = f"{_PREFIX}{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        _rows(name).create_indexes(list(_INDEXES))
        return name

    def switch(self, index: str) -> None:
        """Point to another collection."""
        collection(SearchIndex).update_one(
            {"_id": _CURRENT}, {"$set": {"name": index}}, upsert=True
        )

    def drop(self, index: str) -> None:
        """Drop a collection."""
        mongodb().drop_collection(index)

    def ping(self) -> None:
        """Ask for what every search asks first."""
        self.current()


def _rows(index: str) -> Collection[Row]:
    return mongodb()[index]


def _row(change: Change, now: datetime) -> Row:
    base: Row = {"user_id": change.user_id, "version": change.version}
    if change.document is None:
        return base | {"deleted_at": now}
    return base | change.document.as_row()


def _telling(rows: Collection[Row], query: Query) -> list[str]:
    """Return the words that tell most: without those that are in very many documents, unless
    all are.

    The text index reads, and rates, each document that has any of the words that it is given.
    """
    given = sorted(query.wanted.folded)
    if len(given) == 1:
        return given

    def is_rare(word: str) -> bool:
        has = {"tenant_id": query.tenant_id, "$text": {"$search": word}}
        return rows.count_documents(has, limit=_VERY_MANY) < _VERY_MANY

    return list(filter(is_rare, given)) or given


def _filter(query: Query, words: list[str]) -> Row:
    wanted: Row = {
        "tenant_id": query.tenant_id,
        "$text": {"$search": " ".join(words)},
        "$and": [{"line": _has(term)} for term in query.wanted.required]
        + [{"line": {"$not": _has(term)}} for term in query.wanted.excluded],
    }
    if query.user_id is not None:
        wanted["user_id"] = query.user_id
    if query.sources:
        wanted["source"] = {"$in": list(query.sources)}
    if query.kinds:
        wanted["kind"] = {"$in": list(query.kinds)}
    between = {"$gte": query.since, "$lt": query.until}
    if limits := {sign: moment for sign, moment in between.items() if moment is not None}:
        wanted["at"] = limits
    return wanted


def _has(term: Term) -> re.Pattern[str]:
    """Return what matches a line that has the words of `term` in a row."""
    return re.compile(f" {re.escape(' '.join(term))} ")
