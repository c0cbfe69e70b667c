"""Mailboxes, a page at a time, with what the lists tell of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from models import Mailbox, Pattern, Record, StagedEmail, Subscription, SyncState, User
from models.staged_email import STAGED_OPEN
from pipeline.errors import Gone
from pipeline.mailbox.folders import FOLDERS_STREAM, SOURCE
from pipeline.stores import Row, collection

Show = Literal["disconnected", "paused", "suggested", "staged"]
SHOWN: tuple[Show, ...] = get_args(Show)
#: The end of every text that begins with another: no character comes after it.
_LAST = "\U0010ffff"
_ORDER = [("user_id", 1), ("email", 1)]
_STATE_FIELDS = (
    *("user_id", "status", "fresh_as_of", "stale_at", "last_success_at", "next_due_at"),
    *("last_error", "records", "live_push_until", "pushed_at"),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which mailboxes: `search` is how the ids of their users begin, or a whole address."""

    search: str = ""
    show: Show | None = None
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox in a list.

    `state` is that of its syncs, None before there is any; `subscription` the newest one.
    """

    mailbox: Row
    user_paused: bool
    state: Row | None
    subscription: Row | None
    folders: int
    suggested: int
    staged: int

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.mailbox["_id"])

    @property
    def paused_by(self) -> str:
        """Who keeps anything from being done to its mail: "user", "mailbox", or nobody."""
        if self.user_paused:
            return "user"
        return "mailbox" if (self.mailbox.get("settings") or {}).get("automation_paused") else ""


@dataclass(frozen=True, slots=True)
class MailboxPage:
    """A part of the list; `next` is where the next part begins, empty at the end."""

    mailboxes: list[MailboxRow] = field(default_factory=list)
    next: str = ""


def find(mailbox_id: str) -> MailboxRow:
    """Return a mailbox as it stands in lists.  Raises Gone if there is none."""
    row = collection(Mailbox).find_one({"_id": mailbox_id})
    if row is None:
        raise Gone("there is no such mailbox")
    return rows_of([row])[0]


def listed(limit: int, *, after: str = "", wanted: Filter | None = None) -> MailboxPage:
    """Return up to `limit` mailboxes in the order of their users, behind the mailbox `after`.

    Raises ValueError if there is no mailbox `after`.
    """
    query: Row = {"$and": [_query(wanted or Filter()), _behind(after)]}
    found = list(collection(Mailbox).find(query).sort(_ORDER).limit(limit + 1))
    shown = found[:limit]
    return MailboxPage(rows_of(shown), shown[-1]["_id"] if len(found) > limit else "")


def _query(wanted: Filter) -> Row:
    query: Row = {"tenant_id": wanted.tenant_id} if wanted.tenant_id else {}
    if "@" in wanted.search:
        query["email"] = wanted.search.lower()
    elif wanted.search:
        query["user_id"] = {"$gte": wanted.search, "$lte": wanted.search + _LAST}
    return {"$and": [query, _shown(wanted.show)]}


def _shown(show: Show | None) -> Row:
    match show:
        case "disconnected":
            return {"is_connected": False}
        case "paused":
            held = collection(User).distinct("_id", {"preferences.automation_paused": True})
            return {"$or": [{"settings.automation_paused": True}, {"user_id": {"$in": held}}]}
        case "suggested":
            return {"_id": {"$in": collection(Pattern).distinct("mailbox_id", {"status": show})}}
        case "staged":
            return {"_id": {"$in": collection(StagedEmail).distinct("mailbox_id", _STAGED)}}
    return {}


_STAGED: Row = {"status": {"$in": list(STAGED_OPEN)}}


def _behind(after: str) -> Row:
    if not after:
        return {}
    last = collection(Mailbox).find_one({"_id": after}, {"user_id": 1, "email": 1})
    if last is None:
        raise ValueError("this is not a place in the list of mailboxes")
    later: Row = {"user_id": {"$gt": last["user_id"]}}
    return {"$or": [later, {"user_id": last["user_id"], "email": {"$gt": last["email"]}}]}


def rows_of(mailboxes: Sequence[Row]) -> list[MailboxRow]:
    """Return these mailboxes with what the lists tell of each, a look per collection."""
    ids = [row["_id"] for row in mailboxes]
    users = list({row["user_id"] for row in mailboxes})
    paused = _paused(users)
    states = _by_user(SyncState, users, _STATE_FIELDS)
    subscriptions = _by_user(Subscription, users, ("user_id", "status", "expires_at", "last_error"))
    folders = _counts(Record, "user_id", _landed_folders(users))
    suggested = _counts(Pattern, "mailbox_id", _of(users, ids) | {"status": "suggested"})
    staged = _counts(StagedEmail, "mailbox_id", {"mailbox_id": {"$in": ids}} | _STAGED)
    return [
        MailboxRow(
            mailbox=row,
            user_paused=row["user_id"] in paused,
            state=states.get(row["user_id"]),
            subscription=subscriptions.get(row["user_id"]),
            folders=folders.get(row["user_id"], 0),
            suggested=suggested.get(row["_id"], 0),
            staged=staged.get(row["_id"], 0),
        )
        for row in mailboxes
    ]


def _of(users: list[str], ids: list[str]) -> Row:
    return {"user_id": {"$in": users}, "mailbox_id": {"$in": ids}}


def _landed_folders(users: list[str]) -> Row:
    whose: Row = {"user_id": {"$in": users}, "source": SOURCE}
    return whose | {"stream": FOLDERS_STREAM, "deleted_at": None}


def _paused(users: list[str]) -> set[str]:
    query = {"_id": {"$in": users}, "preferences.automation_paused": True}
    return set(collection(User).distinct("_id", query))


def _by_user(model: Any, users: list[str], fields: Sequence[str]) -> dict[str, Row]:
    """Return of each user the newest row of the source."""
    query = {"user_id": {"$in": users}, "source": SOURCE}
    rows = collection(model).find(query, dict.fromkeys(fields, 1)).sort("_id", 1)
    return {row["user_id"]: row for row in rows}


def _counts(model: Any, by: str, query: Row) -> dict[str, int]:
    grouped = {"$group": {"_id": f"${by}", "count": {"$sum": 1}}}
    found = collection(model).aggregate([{"$match": query}, grouped])
    return {row["_id"]: row["count"] for row in found}
