"""What changed in a folder's mail, and in the folders, since a link was handed out.

https://learn.microsoft.com/graph/delta-query-messages
A link carries everything that was asked for at first, so it is followed as it is.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Method, Reply
from pipeline.sandbox.clock import parse_rfc3339_ms
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import graph_error, sync_state_not_found
from pipeline.sandbox.microsoft.odata import (
    check_options,
    in_preferred_form,
    page_size,
    prefers_immutable,
    received_since,
    selected,
    shaped,
    top,
)
from pipeline.sandbox.microsoft.paging import shortened
from pipeline.sandbox.microsoft.reading import Departure
from pipeline.sandbox.microsoft.rows import Folder, Item, Message
from pipeline.sandbox.microsoft.scopes import READ_MAIL

#: With a $filter no more than so many messages are tracked.
MOST_FILTERED = 5000
#: What an update may carry alone, without the rest of the message.
_MAY_COME_ALONE = frozenset(("isRead", "flag", "categories"))
_CHANGE_TYPES = ("created", "updated", "deleted")
_OPTIONS = ("select", "filter", "orderby", "top", "expand", "deltatoken", "skiptoken")
_ORDERED = "receivedDateTime desc"
_BEFORE_ALL = [2**62, 0]


@dataclass(frozen=True)
class Round:
    """One round of a delta, from its first page on; what it asks for never changes.

    It tells of what came after `since_rev`, or of everything if that is None.  `fresh` says
    that the round before was the first one: what moved while that went on is told as well.
    """

    first_rev: int
    names: list[str] | None = None
    change_type: str | None = None
    received_ms: int = 0
    most: int | None = None
    since_rev: int | None = None
    fresh: bool = False

    @property
    def next(self) -> Round:
        """The round that the link at the end of this one begins."""
        kept = asdict(self) | {"since_rev": self.first_rev, "fresh": self.since_rev is None}
        return Round(**kept)

    def wants(self, change_type: str) -> bool:
        return self.change_type in (None, change_type)


@dataclass(frozen=True)
class _Place:
    """Where a round stands: the key of its last row, and how many rows it has shown."""

    key: list[int] | None = None
    shown: int = 0
    was_empty: bool = False


@dataclass
class _Page:
    value: list[Message] = field(default_factory=list)
    following: _Place | None = None


def delta_of_messages(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/message-delta"""
    check_options(call, *_OPTIONS)
    folder = call.store.mail.folder(call.user, call.path_values["folder"])
    path = f"/v1.0/me/mailFolders('{folder.id}')/messages/delta"
    current, place = _position(call, folder.id, path)
    size, empty = shortened(call, page_size(call), was_empty=place.was_empty)
    if current.since_rev is None:
        page = _full_page(call, folder, current, place, size)
    else:
        page = _changes_page(call, folder, current, place, size)
    if page.following is not None and empty:
        page.following = _Place(place.key, place.shown, was_empty=True)
    return _answer(call, folder.id, path, current, page)


def _answer(call: Call, scope: str, path: str, current: Round, page: _Page) -> Reply:
    body: dict[str, Any] = {
        "@odata.context": f"{call.base_url}/v1.0/$metadata#Collection(message)",
        "value": page.value,
    }
    link, kind, state, place = "@odata.nextLink", "$skiptoken", current, page.following
    if place is None:
        link, kind, state, place = "@odata.deltaLink", "$deltatoken", current.next, _Place()
    fields = {"u": call.user.n, "s": scope, "r": asdict(state), "p": asdict(place)}
    token = call.store.cursors.encode(kind, fields)
    return Reply.of(body | {link: f"{call.base_url}{path}?{kind}={token}"})


def _position(call: Call, scope: str, path: str) -> tuple[Round, _Place]:
    """Where the link leads, or the beginning of a first round."""
    for kind in ("$skiptoken", "$deltatoken"):
        token = call.text(kind)
        if token is not None:
            break
    else:
        return _first_round(call), _Place()
    fields = call.store.cursors.decode(kind, token)
    if fields is None or fields["s"] != scope:
        message = "The sync state is not valid."
        raise graph_error(HTTPStatus.BAD_REQUEST, "syncStateInvalid", message)
    current, place = Round(**fields["r"]), _Place(**fields["p"])
    oldest = current.first_rev if current.since_rev is None else current.since_rev
    if fields["u"] != call.user.n or oldest < call.store.mail.floor(call.user):
        raise _expired(f"{call.base_url}{path}")
    first_rev = current.first_rev if kind == "$skiptoken" else call.store.mail.rev(call.user)
    return Round(**asdict(current) | {"first_rev": first_rev}), place


def _first_round(call: Call) -> Round:
    order = call.text("$orderby")
    if order is not None and order.strip() != _ORDERED:
        message = f"The $orderby '{order}' is not supported by change tracking."
        raise graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidUrlQuery", message)
    change_type = call.text("changeType")
    if change_type is not None and change_type not in _CHANGE_TYPES:
        message = f"Invalid changeType '{change_type}'."
        raise graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidUrlQuery", message)
    received_ms = received_since(call)
    most = [count for count in (top(call), MOST_FILTERED if received_ms else None) if count]
    return Round(
        first_rev=call.store.mail.rev(call.user),
        names=selected(call),
        change_type=change_type,
        received_ms=received_ms,
        most=min(most, default=None),
    )


def _expired(restart: str) -> ApiError:
    error = sync_state_not_found()
    error.headers = (("location", f"{restart}?$deltatoken="),)
    return error


# Everything, newest first


def _full_page(call: Call, folder: Folder, current: Round, place: _Place, size: int) -> _Page:
    page = _Page()
    if not current.wants("created"):
        return page
    left = size if current.most is None else min(size, current.most - place.shown)
    mail, immutable = call.store.mail, prefers_immutable(call)
    rows = mail.by_date(call.user, folder.n, place.key or _BEFORE_ALL, left + 1, down=True)
    rows = [row for row in rows if row[0] >= current.received_ms]
    for _, item in rows[:left]:
        message = shaped(item.shown(immutable=immutable), current.names)
        page.value.append(in_preferred_form(call, message))
    shown = place.shown + len(page.value)
    if len(rows) > left and shown != current.most:
        key = [rows[left - 1][0], rows[left - 1][1].n] if left else place.key
        page.following = _Place(key, shown)
    return page


# Changes, in their order


def _changes_page(call: Call, folder: Folder, current: Round, place: _Place, size: int) -> _Page:
    assert current.since_rev is not None  # or it would be a full round
    after = place.key[0] if place.key else current.since_rev
    mail, immutable = call.store.mail, prefers_immutable(call)
    changed = mail.changed(folder.n, after, size + 1, quiet=current.fresh)
    departed = mail.departed(folder.n, after, size + 1, quiet=current.fresh)
    rows: list[tuple[int, tuple[Item, dict[str, int]] | Departure]] = [
        *((item.rev, (item, changes)) for item, changes in changed),
        *((gone.rev, gone) for gone in departed),
    ]
    rows.sort(key=lambda row: row[0])
    page = _Page()
    for _, row in rows[:size]:
        if isinstance(row, Departure):
            told = _removed(row, immutable=immutable) if current.wants("deleted") else None
        else:
            told = _told(call, current, *row)
        if told is not None:
            page.value.append(told)
    page.value += _replayed(call, page.value)
    if len(rows) > size:
        page.following = _Place([rows[size - 1][0] if size else after])
    return page


def _told(call: Call, current: Round, item: Item, changes: dict[str, int]) -> Message | None:
    """What is said of a message that came or changed; None if it was not asked about."""
    since_rev = current.since_rev or 0
    updated = item.came_rev <= since_rev
    if not current.wants("updated" if updated else "created"):
        return None
    message = item.shown(immutable=prefers_immutable(call))
    if parse_rfc3339_ms(message["receivedDateTime"]) < current.received_ms:
        return None
    if updated:
        names = {name for name, rev in changes.items() if rev > since_rev}
        share = call.store.outbox.settings.microsoft_partial_update_share
        if names <= _MAY_COME_ALONE and _drawn(f"{item.id} {item.rev}", share):
            asked = names if current.names is None else names & set(current.names)
            return _typed(shaped(message, sorted(asked)))
    return _typed(in_preferred_form(call, shaped(message, current.names)))


def _removed(gone: Departure, *, immutable: bool) -> Message:
    message_id = gone.message_id if immutable else gone.default_id
    return _typed({"id": message_id, "@removed": {"reason": "deleted"}})


def _replayed(call: Call, told: list[Message]) -> list[Message]:
    """Those that come once more on the same page, as Graph says may happen."""
    share = call.store.outbox.settings.microsoft_replay_share
    return [entry for entry in told if _drawn(f"replay {entry['id']}", share)]


def _typed(message: Message) -> Message:
    return {"@odata.type": "#microsoft.graph.message"} | message


def _drawn(text: str, share: float) -> bool:
    """Whether a thing is among a share of all, the same way each time."""
    return zlib.crc32(text.encode()) % 1000 < 1000 * share


_PATH = "/me/mailFolders/{folder}/messages/delta"

METHODS = (
    Method(
        *(GRAPH_API, "messages.delta", "GET", _PATH, READ_MAIL, delta_of_messages),
        expired=sync_state_not_found,
    ),
)
