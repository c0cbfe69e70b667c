"""What can happen to an item at the provider, and what a proposer of changes has to see."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Put:
    """Create an item or replace it whole; server-managed fields are left out."""

    source: str
    stream: str
    item_id: str
    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete an item.

    Two removals imply more: with an entry of `calendars` or `tasklists` goes every item of the
    stream that it stands for, and with a recurring event go its exceptions.
    """

    source: str
    stream: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a contact another resource name, as happens when one of its linking fields changes.

    Rule: https://developers.google.com/people/api/rest/v1/people#PersonMetadata
    """

    source: str
    stream: str
    item_id: str
    new_item_id: str
    item: dict[str, Any]


Change: TypeAlias = Put | Remove | Rename


class View(Protocol):
    """The living items of all users, as they are now."""

    def streams(self, user: str, source: str) -> list[str]:
        """Name the streams of a user's source."""

    def item_ids(
        self, user: str, source: str, stream: str, limit: int, offset: int = 0
    ) -> list[str]:
        """Give ids of living items in ascending order by their bytes."""

    def count(self, user: str, source: str, stream: str) -> int:
        """Count the living items of a stream."""

    def item(self, user: str, source: str, stream: str, item_id: str) -> dict[str, Any] | None:
        """Give a living item, or None."""
