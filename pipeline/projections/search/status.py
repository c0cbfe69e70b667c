"""What operators want to know of search: where it is, how much of it, and what is being done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models import SyncState
from pipeline.projections.search.rebuilding import latest
from pipeline.projections.search.stores import store
from pipeline.stores import collection


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A new index that is, or was, filled: so many records of about `total` were gone through.

    `status` is `filling`, `switched` (searches use it, the former one goes in a minute) or `done`.
    """

    id: str
    status: str
    records: int
    total: int
    by: str
    started_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """The store that is used, its index (none before the first record), how many documents there
    are, of how many (user, source) some are missing, and the newest rebuild."""

    store: str
    index: str | None
    documents: int
    behind: int
    rebuild: Rebuild | None


def status() -> Status:
    """Return how search is.  Raises Transient or Misconfigured if its store does not answer."""
    here = store()
    return Status(
        store=here.name,
        index=here.current(),
        documents=here.count(),
        behind=collection(SyncState).count_documents({"projections.search.due_at": {"$ne": None}}),
        rebuild=rebuild(),
    )


def rebuild() -> Rebuild | None:
    """Return the newest rebuild in the present store."""
    row = latest()
    if row is None:
        return None
    return Rebuild(
        id=row["_id"],
        status=row["status"],
        records=row["records"],
        total=max(row["total"], row["records"]),
        by=row["by"],
        started_at=row["started_at"],
        done_at=row.get("done_at"),
    )
