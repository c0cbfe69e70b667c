"""A user's living items in dictionaries, changed as the sandbox's own store changes them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pipeline.sandbox.changes import Change, Put, Remove
from pipeline.sandbox.generate import Seeded

_CONTAINERS = {"calendars": "events/", "tasklists": "tasks/"}


class MemoryView:
    """Implements `View` and changes what it shows."""

    def __init__(self, user: str, seeded: Iterable[Seeded] = ()) -> None:
        self._user = user
        self._streams: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
        for one in seeded:
            self.stream(one.source, one.stream)[one.item_id] = one.item

    def streams(self, user: str, source: str) -> list[str]:
        return sorted(stream for *owner, stream in self._streams if owner == [user, source])

    def item_ids(
        self, user: str, source: str, stream: str, limit: int, offset: int = 0
    ) -> list[str]:
        return sorted(self._streams[user, source, stream])[offset : offset + limit]

    def count(self, user: str, source: str, stream: str) -> int:
        return len(self._streams[user, source, stream])

    def item(self, user: str, source: str, stream: str, item_id: str) -> dict[str, Any] | None:
        return self._streams[user, source, stream].get(item_id)

    def stream(self, source: str, stream: str) -> dict[str, dict[str, Any]]:
        """All living items of a stream by id."""
        return self._streams[self._user, source, stream]

    def apply(self, change: Change) -> None:
        """Make a change that must be possible: nothing is removed or renamed that is not there."""
        items = self.stream(change.source, change.stream)
        if isinstance(change, Put):
            items[change.item_id] = change.item
        elif isinstance(change, Remove):
            del items[change.item_id]
            self._remove_what_depends(change)
        else:
            del items[change.item_id]
            assert change.new_item_id not in items
            items[change.new_item_id] = change.item

    def _remove_what_depends(self, change: Remove) -> None:
        if change.stream in _CONTAINERS:
            self.stream(change.source, _CONTAINERS[change.stream] + change.item_id).clear()
        elif change.stream.startswith("events/"):
            events = self.stream(change.source, change.stream)
            exceptions = [
                event_id
                for event_id, event in events.items()
                if event.get("recurringEventId") == change.item_id
            ]
            for event_id in exceptions:
                del events[event_id]
