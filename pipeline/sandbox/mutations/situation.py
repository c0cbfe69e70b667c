"""What a mutation may look at and draw from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TypeAlias

from pipeline.sandbox.changes import Change, View
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.persona import Persona, persona

#: Phrases and strangers are always the same; whom a user knows is read from the view.
_SEED = 0
_DRAWS = 12
_KNOWN_PEOPLE = 12
_SERVER_MANAGED = frozenset(
    {"etag", "updated", "htmlLink", "kind", "selfLink", "historyId", "sizeEstimate"}
)


@dataclass(frozen=True, slots=True)
class Situation:
    """One user's items at this moment, the randomness, and the clock."""

    random: Random
    view: View
    user: str
    persona: Persona

    @property
    def now(self) -> datetime:
        """The moment at which changes happen."""
        return self.persona.now

    def count(self, source: str, stream: str) -> int:
        """How many living items a stream has."""
        return self.view.count(self.user, source, stream)

    def item(self, source: str, stream: str, item_id: str) -> Item | None:
        """A living item without the fields that the server manages, or None."""
        item = self.view.item(self.user, source, stream, item_id)
        return None if item is None else _own_fields(item)

    def items(self, source: str, stream: str, limit: int, offset: int = 0) -> Iterator[Item]:
        """Up to `limit` living items in order of id."""
        for item_id in self.view.item_ids(self.user, source, stream, limit, offset):
            item = self.item(source, stream, item_id)
            if item is not None:
                yield item

    def pick(
        self, source: str, stream: str, fits: Callable[[Item], object] | None = None
    ) -> Item | None:
        """A living item drawn at random that fits, or None if a dozen draws found none."""
        count = self.count(source, stream)
        for _ in range(_DRAWS if count else 0):
            offset = self.random.randrange(count)
            item = next(self.items(source, stream, 1, offset), None)
            if item is not None and (fits is None or fits(item)):
                return item
        return None


#: Proposes what it takes, in order, for one change of mind; nothing if it does not fit the state.
Mutation: TypeAlias = Callable[[Situation], list[Change]]


def _own_fields(item: Item) -> Item:
    own = {key: value for key, value in item.items() if key not in _SERVER_MANAGED}
    metadata = own.get("metadata")
    if metadata:
        own["metadata"] = {**metadata, "sources": [*map(_own_source, metadata.get("sources", ()))]}
        own["metadata"].pop("previousResourceNames", None)
    return own


def _own_source(source: Item) -> Item:
    return {key: value for key, value in source.items() if key not in ("etag", "updateTime")}


def _acquainted(stranger: Person, contact: Item) -> Person | None:
    """A contact as a person, as far as it has a name and an address."""
    if not contact.get("names") or not contact.get("emailAddresses"):
        return None
    name = contact["names"][-1]
    return replace(
        stranger,
        given_name=name.get("givenName", ""),
        family_name=name.get("familyName", ""),
        display_name=name.get("displayName", ""),
        email=contact["emailAddresses"][0]["value"],
    )


def situation(random: Random, view: View, user: str, email: str, now: datetime) -> Situation:
    """Look at a user.  Their circle is some of their contacts, or strangers if they have none."""
    stranger = persona(_SEED, user, email, now)
    unmet = Situation(random, view, user, stranger)
    count = unmet.count("google_contacts", "connections")
    offset = random.randrange(max(1, count - _KNOWN_PEOPLE + 1))
    found = unmet.items("google_contacts", "connections", _KNOWN_PEOPLE, offset)
    met = (_acquainted(person, item) for person, item in zip(stranger.circle, found, strict=False))
    circle = tuple(person for person in met if person is not None)
    return replace(unmet, persona=replace(stranger, circle=circle or stranger.circle))
