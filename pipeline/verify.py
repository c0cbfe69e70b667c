"""The oracle: the sandbox's truth against MongoDB, the graph and search, item by item.

Of mail, also what is said to wait in the staging folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from models import Mailbox, Record, RejectedItem, StagedEmail, SyncState
from pipeline.projections.graph_snapshot import actual, expected
from pipeline.projections.search.advance import owners
from pipeline.projections.search.documents import document_of
from pipeline.projections.search.stores import store
from pipeline.sandbox.client import SandboxClient
from pipeline.sources import SOURCES
from pipeline.sources.base import Cursor, Item, Source
from pipeline.stores import Row, collection
from pipeline.sync.comparing import content_hash
from pipeline.sync.states import stream_key

#: Differences per user that are described; all are counted.
EXAMPLES = 20

Identity = tuple[str, str, str]


@dataclass(slots=True)
class Verdict:
    """What differs for one user.  `set_aside`: items kept apart by the quality gate."""

    user_id: str
    records: dict[str, int] = field(default_factory=dict)
    mongodb: int = 0
    graph: int = 0
    staging: int = 0
    search: int = 0
    set_aside: int = 0
    examples: list[str] = field(default_factory=list)

    def mongodb_differs(self, what: str, identity: Identity) -> None:
        """Count a difference in MongoDB; `what` is missing, extra or different."""
        self.mongodb += 1
        self._tell(f"MongoDB: {what} {' '.join(identity)}")

    def staging_differs(self, message_id: str) -> None:
        """Count a mail that is said to be staged and is elsewhere."""
        self.staging += 1
        self._tell(f"staging: not in the staging folder: {message_id}")

    def search_differs(self, what: str, document_id: str) -> None:
        """Count a difference in search; `what` is missing, extra or different."""
        self.search += 1
        self._tell(f"search: {what} {document_id}")

    @property
    def differences(self) -> int:
        """How many there are of all kinds."""
        return self.mongodb + self.graph + self.staging + self.search

    def _tell(self, example: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


def verify(user_id: str, sandbox: SandboxClient, *, search: bool = False) -> Verdict:
    """Compare everything of one user; what can be found only with `search`.

    A user at rest has no differences.
    """
    verdict = Verdict(user_id)
    states = list(collection(SyncState).find({"user_id": user_id}))
    truth: dict[Identity, bytes] = {}
    for state in states:
        for stream, item_id, item in _truth(state, sandbox):
            truth[state["source"], stream, item_id] = content_hash(item)
    _compare_records(verdict, truth)
    _compare_staged(verdict, truth)
    _compare_graph(verdict, states, sandbox)
    if search:
        _compare_search(verdict, states, sandbox)
    return verdict


def _truth(state: Row, sandbox: SandboxClient) -> Iterator[tuple[str, str, Item]]:
    """Yield (stream, item id, item) of what the copy should hold, as it should hold it."""
    source: Source = SOURCES[state["source"]]
    for stream, item_id, item in sandbox.truth(state["user_id"], source.name):
        landed = source.as_landed(stream, item, _window(source, state, stream))
        if landed is not None:
            yield stream, item_id, landed


def _window(source: Source, state: Row, stream: str) -> Cursor:
    """Return the window that the stream was listed with, or the one that it would be."""
    stored: Row = state["streams"].get(stream_key(stream), {})
    cursor: Cursor | None = stored.get("cursor") or (stored.get("listing") or {}).get("start")
    return cursor or source.first_cursor(datetime.now(UTC))


def _compare_records(verdict: Verdict, truth: dict[Identity, bytes]) -> None:
    missing = set(truth)
    seen: set[Identity] = set()
    rows = collection(Record).find({"user_id": verdict.user_id, "deleted_at": None})
    for row in rows:
        identity = (row["source"], row["stream"], row["item_id"])
        if identity in seen:
            verdict.mongodb_differs("twice:", identity)
        seen.add(identity)
        missing.discard(identity)
        verdict.records[row["source"]] = verdict.records.get(row["source"], 0) + 1
        if identity not in truth:
            verdict.mongodb_differs("extra:", identity)
        elif content_hash(row["item"]) != truth[identity]:
            verdict.mongodb_differs("different:", identity)
    aside = {
        (row["source"], row["stream"], row["item_id"])
        for row in collection(RejectedItem).find({"user_id": verdict.user_id}, {"raw": 0})
    }
    verdict.set_aside = len(aside)
    for identity in sorted(missing - aside):
        verdict.mongodb_differs("missing:", identity)


def _compare_staged(verdict: Verdict, truth: dict[Identity, bytes]) -> None:
    """Look for the mails that wait to be deleted where they are said to wait."""
    whose = {"user_id": verdict.user_id}
    mailboxes = {row["_id"]: row for row in collection(Mailbox).find(whose)}
    for row in collection(StagedEmail).find(whose | {"status": "staged"}):
        folder_id = mailboxes.get(row["mailbox_id"], {}).get("staging_folder_id")
        if ("microsoft_mail", f"messages/{folder_id}", row["message_id"]) not in truth:
            verdict.staging_differs(row["message_id"])


def _compare_graph(verdict: Verdict, states: list[Row], sandbox: SandboxClient) -> None:
    items = (
        (state["source"], stream, item_id, item)
        for state in states
        for stream, item_id, item in _truth(state, sandbox)
    )
    differences: list[Any] = expected(verdict.user_id, items).differences(actual(verdict.user_id))
    verdict.graph = len(differences)
    room = max(0, EXAMPLES - len(verdict.examples))
    verdict.examples += [f"graph: {difference}" for difference in differences[:room]]


def _compare_search(verdict: Verdict, states: list[Row], sandbox: SandboxClient) -> None:
    """Look for a document of each item, as it would be made now, and for no other."""
    owner = owners({verdict.user_id}).get(verdict.user_id)
    if owner is None:
        return
    documents = (
        document_of(owner.tenant_id, verdict.user_id, state["source"], stream, item_id, item)
        for state in states
        for stream, item_id, item in _truth(state, sandbox)
    )
    wanted = {document.id: document.content_hash for document in documents if document}
    held = dict(store().dump(verdict.user_id))
    for document_id in sorted(wanted | held):
        if document_id not in held:
            verdict.search_differs("missing:", document_id)
        elif document_id not in wanted:
            verdict.search_differs("extra:", document_id)
        elif wanted[document_id] != held[document_id]:
            verdict.search_differs("different:", document_id)
