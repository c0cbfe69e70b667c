"""What every event starts from: the calendar it is made for, a time, the common fields."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from pipeline.sandbox.data import guests
from pipeline.sandbox.data.event_times import Item, local_moment, timed_span, timestamp
from pipeline.sandbox.data.identifiers import event_id
from pipeline.sandbox.data.persona import Persona

_DURATIONS_MINUTES = (15, 25, 30, 30, 45, 50, 60, 60, 90, 120)


@dataclass(frozen=True, slots=True)
class Scene:
    """The calendar that events are made for."""

    persona: Persona
    calendar: Item
    random: Random

    @property
    def zone(self) -> str:
        """The calendar's zone."""
        return str(self.calendar["timeZone"])


def any_day(scene: Scene) -> date:
    """A day around now; a quarter lies long ago, some far ahead."""
    random, luck = scene.random, scene.random.random()
    if luck < 0.6:
        offset_days = round(random.gauss(0, 25))
    elif luck < 0.85:
        offset_days = -random.randint(91, 900)
    else:
        offset_days = random.randint(20, 300)
    return (scene.persona.now + timedelta(days=offset_days)).date()


def any_start(scene: Scene) -> datetime:
    """A wall-clock time in the calendar's zone, most likely around noon."""
    hour = min(22, max(6, round(scene.random.gauss(12.5, 3))))
    minute = scene.random.choice((0, 0, 15, 30, 30, 45))
    return local_moment(any_day(scene), hour, minute, scene.zone)


def any_span(scene: Scene) -> Item:
    """`start` and `end` of something that takes minutes or hours."""
    minutes = scene.random.choice(_DURATIONS_MINUTES)
    return timed_span(any_start(scene), timedelta(minutes=minutes), scene.zone)


def new_event(scene: Scene, title: str, *parts: Item) -> Item:
    """An event with the fields that every event has, and those of `parts` over them."""
    random = scene.random
    identifier = event_id(random)
    created_at = scene.persona.now - timedelta(seconds=random.randint(3_600, 60_000_000))
    event: Item = {
        "id": identifier,
        "status": "tentative" if random.random() < 0.04 else "confirmed",
        "created": timestamp(created_at),
        "summary": title,
        "iCalUID": f"{identifier}@google.com",
        "sequence": 0,
        "eventType": "default",
        "reminders": {"useDefault": True},
    }
    event |= guests.own_event(scene.persona, scene.calendar)
    for part in parts:
        event |= part
    return event
