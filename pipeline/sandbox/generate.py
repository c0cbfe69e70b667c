"""Everything that invented users keep at Google: deterministic, lazy, in constant memory.

The same seed, user, address, size and clock give the same items, byte for byte, in any process.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from random import Random
from typing import Any

from pipeline.sandbox.data.calendars import calendars
from pipeline.sandbox.data.contacts import contacts
from pipeline.sandbox.data.events import events
from pipeline.sandbox.data.mails import messages
from pipeline.sandbox.data.people import population
from pipeline.sandbox.data.persona import Persona, persona
from pipeline.sandbox.data.phrases import LIST_TITLES
from pipeline.sandbox.data.tasks import task_list, tasks

#: A user may ask Gmail for 300 messages in a minute; more would keep a demo from catching up.
MOST_MESSAGES = 280


@dataclass(frozen=True, slots=True)
class Size:
    """How many items of each kind a user has; events count exceptions too."""

    calendars: int
    events: int
    messages: int
    contacts: int
    task_lists: int
    tasks: int

    def __post_init__(self) -> None:
        """Refuse what cannot be: negative counts, events or tasks without a place to be."""
        if any(getattr(self, field.name) < 0 for field in fields(self)):
            raise ValueError(f"no count may be negative: {self}")
        if self.events and not self.calendars:
            raise ValueError("events need at least one calendar")
        if self.tasks and not self.task_lists:
            raise ValueError("tasks need at least one task list")


@dataclass(frozen=True, slots=True)
class Seeded:
    """One item and the place where it lives."""

    source: str
    stream: str
    item_id: str
    item: dict[str, Any]


def size_of(seed: int, index: int) -> Size:
    """The size of a population's user number `index`.

    One in ten is empty or nearly so, one in twenty is big, the rest are ordinary.
    """
    random = Random(f"{seed}/size/{index}")
    luck = random.random()
    if luck < 0.1:
        few = random.choice((0, 0, 1, 3))
        return Size(1, few, few, few, 1, few)
    messages_count = random.randint(40, 250)
    lists, tasks_count = random.randint(1, 5), random.randint(5, 120)
    if luck < 0.15:
        return Size(
            calendars=random.randint(4, 9),
            events=random.randint(2_000, 6_000),
            messages=random.randint(200, MOST_MESSAGES),
            contacts=random.randint(1_500, 5_000),
            task_lists=lists,
            tasks=tasks_count,
        )
    return Size(
        calendars=random.randint(1, 6),
        events=min(400, max(30, int(random.lognormvariate(4.7, 0.6)))),
        messages=messages_count,
        contacts=min(300, max(10, int(random.lognormvariate(4.3, 0.8)))),
        task_lists=lists,
        tasks=tasks_count,
    )


def _shares(total: int, parts: int) -> list[int]:
    """Split a total: the first part gets about half, the others the rest evenly."""
    if parts <= 1:
        return [total] * parts
    rest = total // 2
    share, left = divmod(rest, parts - 1)
    return [total - rest, *(share + (index < left) for index in range(parts - 1))]


def _calendar_items(someone: Persona, size: Size) -> Iterator[Seeded]:
    source = "google_calendar"
    entries = list(calendars(someone, size.calendars))
    for entry in entries:
        yield Seeded(source, "calendars", entry["id"], entry)
    for entry, count in zip(entries, _shares(size.events, len(entries)), strict=True):
        stream = f"events/{entry['id']}"
        for event in events(someone, entry, count):
            yield Seeded(source, stream, event["id"], event)


def _task_items(someone: Persona, size: Size) -> Iterator[Seeded]:
    source, random = "google_tasks", someone.random("tasklists")
    titles = (LIST_TITLES[index % len(LIST_TITLES)] for index in range(size.task_lists))
    entries = [task_list(random, title) for title in titles]
    for entry in entries:
        yield Seeded(source, "tasklists", entry["id"], entry)
    for entry, count in zip(entries, _shares(size.tasks, len(entries)), strict=True):
        stream = f"tasks/{entry['id']}"
        for task in tasks(someone, entry["id"], count):
            yield Seeded(source, stream, task["id"], task)


def build_user(seed: int, user: str, email: str, size: Size, now: datetime) -> Iterator[Seeded]:
    """Give everything that one user has, item by item.

    Calendars and task lists come before what is in them, series before their exceptions, parent
    tasks before their subtasks.  `now` must be aware; times are chosen around it.
    """
    someone = persona(seed, user, email, now)
    yield from _calendar_items(someone, size)
    for message in messages(someone, size.messages):
        yield Seeded("google_gmail", "messages", message["id"], message)
    strangers = population(seed).strangers(user)
    for contact in contacts(someone, strangers, size.contacts):
        yield Seeded("google_contacts", "connections", contact["resourceName"], contact)
    yield from _task_items(someone, size)
