"""Mentions of whom the user knows: people and organizations among their contacts, and topics.

Nobody is guessed: a name counts where it is that of a contact, word for word, and an address
where it stands in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from models import Record
from pipeline.platform.ai import results
from pipeline.platform.ai.entities import Entity
from pipeline.platform.ai.local.categories import ranked
from pipeline.platform.ai.local.sentences import words_of
from pipeline.platform.ai.options import DEFAULT_CATEGORIES
from pipeline.platform.ai.results import Mention
from pipeline.platform.ai.tasks import Task
from pipeline.stores import Row, collection

_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+){1,5}")
#: The word of an address is certain; of a name it may be that of another.
_BY_ADDRESS, _BY_NAME, _BY_ORGANIZATION = 0.99, 0.9, 0.8
#: How alike a text must be to a topic.
_LEAST_TOPIC = 0.25
_MOST_CONTACTS = 10_000
#: Words of the longest name that is looked for.
_MOST_WORDS = 6
_SHORTEST_ORGANIZATION = 3
_FIELDS = ("names.displayName", "organizations.name", "emailAddresses.value")


def extract(task: Task) -> results.Mentions:
    """Return people and organizations of the user's contacts, and topics, the surest first."""
    text = task.content.text
    found: dict[tuple[str, str], Mention] = {}
    for mention in [*_of_contacts(task.entity, text), *_topics(task)]:
        key = (mention.kind, mention.name.casefold())
        if key not in found or found[key].confidence < mention.confidence:
            found[key] = mention
    surest = sorted(found.values(), key=lambda one: (-one.confidence, one.kind, one.name))
    return results.Mentions(mentions=surest[: results.MOST_MENTIONS])


def _topics(task: Task) -> list[Mention]:
    return [
        Mention(kind="topic", name=topic.name, confidence=alike)
        for topic, alike in ranked(task.content, DEFAULT_CATEGORIES)
        if alike >= _LEAST_TOPIC
    ]


def _of_contacts(entity: Entity, text: str) -> Iterator[Mention]:
    """Yield which contacts a text names, by their name, organization or address."""
    addresses = {address.casefold() for address in _ADDRESS.findall(text)}
    phrases = _phrases(words_of(text))
    for contact in _contacts(entity.user_id):
        names = _texts(contact, "names", "displayName")
        known = addresses.intersection(
            map(str.casefold, _texts(contact, "emailAddresses", "value"))
        )
        if known:
            yield _person((names or sorted(known))[0], _BY_ADDRESS)
        for name in names:
            words = tuple(words_of(name))
            # A first name alone is that of many.
            if len(words) > 1 and words in phrases:
                yield _person(name, _BY_NAME)
        for name in _texts(contact, "organizations", "name"):
            if len(name) >= _SHORTEST_ORGANIZATION and tuple(words_of(name)) in phrases:
                yield Mention(kind="organization", name=name, confidence=_BY_ORGANIZATION)


def _person(name: str, confidence: float) -> Mention:
    return Mention(kind="person", name=name, confidence=confidence)


def _contacts(user_id: str | None) -> Iterable[Row]:
    if user_id is None:
        return ()
    wanted = {"user_id": user_id, "source": "google_contacts", "deleted_at": None}
    fields = dict.fromkeys((f"item.{field}" for field in _FIELDS), 1)
    rows = collection(Record).find(wanted, fields).limit(_MOST_CONTACTS)
    return (row["item"] for row in rows if row.get("item"))


def _texts(contact: Row, field: str, part: str) -> list[str]:
    """Return the texts of a contact's field, whatever else providers put there."""
    entries = contact.get(field)
    found = [entry.get(part) for entry in entries or () if isinstance(entry, dict)]
    return [
        " ".join(text.split())[:200] for text in found if isinstance(text, str) and text.strip()
    ]


def _phrases(words: list[str]) -> set[tuple[str, ...]]:
    """Return all runs of words that a name may be."""
    return {
        tuple(words[start : start + length])
        for length in range(1, _MOST_WORDS + 1)
        for start in range(len(words) - length + 1)
    }
