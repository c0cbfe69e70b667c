"""Which job, on which queue, syncs a source: the one place that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models import DEFAULT_TENANT, Mailbox, SyncState
from pipeline.jobs.sending import Send
from pipeline.queues import DATA_SYNC, DELTA_SYNC, Queue
from pipeline.sources import SOURCES
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Lane:
    """Sources that are synced by one job, on a queue of their own."""

    job: str
    queue: Queue
    sources: tuple[str, ...]


MAIL = Lane("delta_sync", DELTA_SYNC, ("microsoft_mail",))
DATA = Lane("sync", DATA_SYNC, tuple(name for name in SOURCES if name not in MAIL.sources))
LANES = (DATA, MAIL)


#: The jobs that bring projections of a user up to date; the mailbox's is of a mailbox.
_ADVANCES = {"graph": "advance_graph", "search": "advance_search"}


def lane_of(source: str) -> Lane:
    """Return the lane of `source`."""
    return MAIL if source in MAIL.sources else DATA


def sync_of(state: Row) -> Send:
    """Return the job that syncs the (user, source) of a state."""
    user_id, source = state["user_id"], state["source"]
    tenant_id = state.get("tenant_id") or DEFAULT_TENANT
    if lane_of(source) is DATA:
        return Send("sync", (user_id, source), tenant_id=tenant_id)
    # Without a mailbox yet, the user stands for it: jobs of a mailbox run one at a time.
    mailbox_id = state.get("mailbox_id") or user_id
    return Send("delta_sync", (user_id, source, mailbox_id), tenant_id=tenant_id)


def syncs_of(user_id: str, sources: Iterable[str], tenant_id: str) -> list[Send]:
    """Return the jobs that sync these sources of a user, in their order."""
    sends = []
    for source in sources:
        state: Row = {"user_id": user_id, "source": source, "tenant_id": tenant_id}
        if lane_of(source) is MAIL:
            state["mailbox_id"] = mailbox_of(user_id, source)
        sends.append(sync_of(state))
    return sends


def nudges(user_id: str, source: str, tenant_id: str, lagging: Iterable[str]) -> list[Send]:
    """Return the jobs that bring the projections `lagging` of (user, source) up to date."""
    sends = []
    for projection in lagging:
        if projection in _ADVANCES:
            sends.append(Send(_ADVANCES[projection], (user_id,), tenant_id=tenant_id))
        elif (mailbox_id := mailbox_of(user_id, source)) is not None:
            sends.append(Send("observe_mailbox", (user_id, mailbox_id), tenant_id=tenant_id))
    return sends


def mailbox_of(user_id: str, source: str) -> str | None:
    """Return the mailbox of (user, source); None if there is none yet."""
    key = {"user_id": user_id, "source": source}
    state = collection(SyncState).find_one(key, {"mailbox_id": 1}) or {}
    if not state.get("mailbox_id"):
        row = collection(Mailbox).find_one({"user_id": user_id}, {"_id": 1}) or {}
        return row.get("_id")
    return str(state["mailbox_id"])
