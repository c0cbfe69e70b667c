"""What subscribers are told of a change to a mailbox.

https://learn.microsoft.com/graph/outlook-change-notifications-overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.rows import Item
from pipeline.sandbox.push.watches import Watch

if TYPE_CHECKING:
    from pipeline.sandbox.store import Store, User

CREATED, UPDATED, DELETED, MOVED = "created", "updated", "deleted", "moved"
#: The stream of a subscription to the whole mailbox; a folder's has its id behind a slash.
ALL_MAIL = "messages"


def live_subscriptions(store: Store, user_n: int) -> list[Watch]:
    """A user's subscriptions that have not expired and were not removed."""
    found = store.outbox.watches.of_user(user_n)
    return [watch for watch in found if watch.api == GRAPH_API and not watch.ended]


def announce(store: Store, user: User, change: str, item: Item, before: Item | None = None) -> None:
    """Tell of a message that came, changed, went, or moved: then `before` is as it was."""
    if not store.outbox.watches.any_of(user.n):
        return
    for watch in live_subscriptions(store, user.n):
        for kind, told in _told(watch, change, item, before):
            if kind in watch.details["change_types"]:
                shown = told.shown(immutable=watch.details["immutable"])
                note = {"change": kind, "id": shown["id"], "etag": shown["@odata.etag"]}
                store.outbox.tell_subscriber(watch, user.user, dump_json(note))


def _told(watch: Watch, change: str, item: Item, before: Item | None) -> list[tuple[str, Item]]:
    """What a change is to a subscription: a move is many things, depending on what it sees."""
    folder_id = watch.stream.partition("/")[2]
    if before is None:
        return [(change, item)] if folder_id in ("", item.folder_id) else []
    if not folder_id and watch.details["immutable"]:
        return [(UPDATED, item)]
    told = []
    if folder_id in ("", before.folder_id):
        told.append((DELETED, before))
    if folder_id in ("", item.folder_id):
        told.append((CREATED, item))
    return told


def tell_lifecycle(store: Store, user: User, event: str) -> int:
    """Send a lifecycle notification to each of the user's subscriptions that has an address for
    it; `subscriptionRemoved` also ends them.  Returns how many that were."""
    told = 0
    with store.database.transaction():
        for watch in live_subscriptions(store, user.n):
            if event == "subscriptionRemoved":
                store.outbox.watches.end(watch)
            if watch.details["lifecycle_address"]:
                told += 1
                store.outbox.tell_subscriber(watch, user.user, dump_json({"lifecycle": event}))
    return told
