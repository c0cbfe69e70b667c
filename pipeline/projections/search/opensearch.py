"""Search in OpenSearch or Elasticsearch, by their common API.

https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    ConnectionError,  # noqa: A004 - the library calls it so
    NotFoundError,
    OpenSearchException,
    TransportError,
)
from opensearchpy.helpers import scan

from pipeline.config import settings
from pipeline.errors import Misconfigured, Permanent, RateLimited, Transient
from pipeline.projections.search.documents import Change
from pipeline.projections.search.query import Query, Term
from pipeline.projections.search.store import MOST_COUNTED, Match, Matches, match_of
from pipeline.stores import Row

_TITLE_BOOST = 4
#: Numbers of shards and the like are in the settings; these belong to how we write.
_INDEX: Row = {
    # How long it is remembered which version was deleted; the default is a minute.
    "gc_deletes": "24h",
}
_KEYWORD = {"type": "keyword"}
_STORED = {"type": "keyword", "index": False, "doc_values": False}
#: Words are folded before: here they are only told apart at their spaces.
_LINE = {"type": "text", "analyzer": "whitespace"}
_MAPPING: Row = {
    "dynamic": "strict",
    "properties": {
        **dict.fromkeys(("id", "tenant_id", "user_id", "source", "kind", "hash"), _KEYWORD),
        **dict.fromkeys(("stream", "item_id", "thread", "title", "body", "people"), _STORED),
        "at": {"type": "date"},
        "title_line": _LINE,
        "line": _LINE,
    },
}
_SOURCE = {"excludes": ["line", "title_line", "hash", "tenant_id"]}
_NOT_FOUND, _CONFLICT, _TOO_MANY, _FAILED = 404, 409, 429, 500
#: As many as threads of a worker may write.
_CONNECTIONS = 20
#: The name of a field in the reason of a refusal, the rest of which may quote its value.
_FIELD = re.compile(r"(?:field|introduction of) \[([\w.]+)\]")
_RETRY_SECONDS = 5.0
#: A person waits for the answer to whether it is there.
_PING_SECONDS = 5.0


class OpenSearchStore:
    """The store of SEARCH_URL: one index for everybody, behind an alias."""

    name = "opensearch"

    def write(self, changes: Sequence[Change], index: str) -> None:
        """Write in bulk; the store itself keeps what has a higher version."""
        lines: list[Any] = []
        for change in changes:
            where = {
                "_index": _writable(index),
                "_id": change.id,
                "version": change.version,
                "version_type": "external_gte",
            }
            if change.document is None:
                lines.append({"delete": where})
            else:
                lines += [{"index": where}, _source(change)]
        if not lines:
            return
        # A writer that stood still must not bring a dropped index back, with a guessed mapping.
        alias_only = {"require_alias": "true"}
        answer = _ask(lambda: _client().bulk(body=lines, params=alias_only))
        for item in answer["items"] if answer["errors"] else ():
            _check(next(iter(item.values())))

    def find(self, query: Query) -> Matches:
        """Ask the alias."""
        unmade_too = {"ignore_unavailable": "true"}
        answer = _ask(
            lambda: _client().search(body=_body(query), index=_alias(), params=unmade_too)
        )
        hits = answer["hits"]
        return Matches(int(hits["total"]["value"]), [_match(hit) for hit in hits["hits"]])

    def wipe(self, user_id: str, index: str) -> int:
        """Delete all of a user by query; documents that change meanwhile are left to the next."""
        body = {"query": {"term": {"user_id": user_id}}}
        _ask(lambda: _client().indices.refresh(index=index))
        params = {"conflicts": "proceed", "refresh": "true"}
        answer = _ask(lambda: _client().delete_by_query(index=index, body=body, params=params))
        return int(answer["deleted"])

    def dump(self, user_id: str) -> Iterator[tuple[str, str]]:
        """Yield (id, content hash) of each document of a user, after a refresh."""
        if self.current() is None:
            return
        _ask(lambda: _client().indices.refresh(index=_alias()))
        query = {"query": {"term": {"user_id": user_id}}, "_source": ["hash"]}
        for hit in _ask(lambda: list(scan(_client(), query=query, index=_alias(), size=1000))):
            yield hit["_id"], hit["_source"]["hash"]

    def count(self, user_id: str | None = None) -> int:
        """Return how many documents there are, of a user or of all."""
        query = {"match_all": {}} if user_id is None else {"term": {"user_id": user_id}}
        unmade_too = {"ignore_unavailable": "true"}
        answer = _ask(
            lambda: _client().count(index=_alias(), body={"query": query}, params=unmade_too)
        )
        return int(answer["count"])

    def current(self) -> str | None:
        """Return the index behind the alias."""
        return max(self._behind_alias(), default=None)

    def indexes(self) -> list[str]:
        """Return the indexes with our names, and no others that may begin alike."""
        ours = re.compile(rf"{re.escape(_alias())}-\d{{20}}")
        answer = _ask(lambda: _client().indices.get_alias(index=f"{_alias()}-*"))
        return sorted(name for name in answer if ours.fullmatch(name))

    def create(self) -> str:
        """Make an index with its mapping."""
        name = f"{_alias()}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        body = {
            "settings": {"index": {**_INDEX, "number_of_shards": settings().search_shards}},
            "mappings": _MAPPING,
            "aliases": {_writable(name): {}},
        }
        _ask(lambda: _client().indices.create(index=name, body=body))
        return name

    def switch(self, index: str) -> None:
        """Move the alias in one step."""
        actions: list[Row] = [{"add": {"index": index, "alias": _alias()}}]
        actions += [
            {"remove": {"index": former, "alias": _alias()}}
            for former in self._behind_alias()
            if former != index
        ]
        _ask(lambda: _client().indices.refresh(index=index))
        _ask(lambda: _client().indices.update_aliases(body={"actions": actions}))

    def drop(self, index: str) -> None:
        """Delete an index."""
        _ask(lambda: _client().indices.delete(index=index, params={"ignore_unavailable": "true"}))

    def ping(self) -> None:
        """Ask who is there; whoever does waits for no more than a few seconds."""
        patience = min(_PING_SECONDS, settings().search_timeout_seconds)
        _ask(lambda: _client().info(params={"request_timeout": patience}))

    def _behind_alias(self) -> list[str]:
        try:
            return list(_ask(lambda: _client().indices.get_alias(name=_alias())))
        except _Absent:
            return []


class _Absent(Permanent):
    """There is no such index or alias."""


def _client() -> OpenSearch:
    url, timeout = settings().search_url.get_secret_value(), settings().search_timeout_seconds
    return _opened(os.getpid(), url, timeout)


@lru_cache(maxsize=4)
def _opened(_pid: int, url: str, timeout: float) -> OpenSearch:
    """Return the client of a process: a fork opens its own."""
    return OpenSearch([url], timeout=timeout, max_retries=0, maxsize=_CONNECTIONS)


def _alias() -> str:
    return f"{settings().search_index_prefix}-search"


def _writable(index: str) -> str:
    """Return the alias by which one index is written, which goes when it is dropped."""
    return f"{index}-write"


def _ask(call: Any) -> Any:
    """Return what the store answers, or raise what its refusal means."""
    try:
        return call()
    except OpenSearchException as error:
        _raise(error)


def _raise(error: OpenSearchException) -> NoReturn:
    """Raise what an answer means.  Texts of errors may quote documents and are left out."""
    if isinstance(error, ConnectionError):
        raise Transient(
            f"the search store does not answer at SEARCH_URL ({type(error).__name__})"
        ) from None
    status = error.status_code if isinstance(error, TransportError) else 0
    if isinstance(error, NotFoundError):
        raise _Absent("the search store has no such index") from None
    if status in (401, 403):
        raise Misconfigured(f"the search store refuses the user of SEARCH_URL ({status})") from None
    if status == _TOO_MANY:
        raise _too_many() from None
    if status in range(400, 500):
        kind = str(error.error)[:60] if isinstance(error, TransportError) else ""
        raise Permanent(f"the search store refuses a request ({status} {kind})") from None
    raise Transient(f"the search store failed ({status or type(error).__name__})") from None


def _check(item: Row) -> None:
    """Raise what became of one document, unless all is well with it: a newer one is there."""
    status, error = int(item["status"]), item.get("error")
    if error is None or status == _CONFLICT:
        return
    if status == _TOO_MANY:
        raise _too_many()
    if status == _NOT_FOUND:
        raise Transient("the search index was replaced meanwhile")
    if status >= _FAILED:
        raise Transient(f"the search store could not write a document ({status})")
    field = _FIELD.search(str(error.get("reason", "")))
    where = f"the field {field[1]} of a document" if field else "a document"
    kind = str(error.get("type", ""))[:60]
    raise Permanent(f"the search store does not take {where} ({status} {kind})")


def _too_many() -> RateLimited:
    return RateLimited(
        "the search store has too much to do", retry_after_seconds=_RETRY_SECONDS, scope="project"
    )


def _source(change: Change) -> Row:
    document = change.document
    assert document is not None
    at = document.at.isoformat() if document.at else None
    return document.as_row() | {"id": document.id, "at": at}


def _body(query: Query) -> Row:
    filters: list[Row] = [{"term": {"tenant_id": query.tenant_id}}]
    if query.user_id is not None:
        filters.append({"term": {"user_id": query.user_id}})
    if query.sources:
        filters.append({"terms": {"source": list(query.sources)}})
    if query.kinds:
        filters.append({"terms": {"kind": list(query.kinds)}})
    between = {"gte": query.since, "lt": query.until}
    limits = {sign: moment.isoformat() for sign, moment in between.items() if moment is not None}
    if limits:
        filters.append({"range": {"at": limits}})
    title = {"query": " ".join(sorted(query.wanted.folded)), "boost": _TITLE_BOOST}
    return {
        "query": {
            "bool": {
                "filter": filters,
                "must": [_has(term) for term in query.wanted.required],
                "must_not": [_has(term) for term in query.wanted.excluded],
                "should": [{"match": {"title_line": title}}],
            }
        },
        "sort": ["_score", {"at": {"order": "desc", "missing": "_last"}}, {"id": "asc"}],
        "from": query.offset,
        "size": query.limit,
        "_source": _SOURCE,
        "track_scores": True,
        "track_total_hits": MOST_COUNTED,
    }


def _has(term: Term) -> Row:
    return {"match_phrase": {"line": " ".join(term)}}


def _match(hit: Row) -> Match:
    row: Row = hit["_source"]
    at = datetime.fromisoformat(row["at"]) if row["at"] else None
    return match_of(hit["_id"], row | {"at": at}, float(hit["_score"]))
