"""Events that happen once: meetings, appointments, whole days, special types."""

from datetime import timedelta

from pipeline.sandbox.data import event_details, guests
from pipeline.sandbox.data.event_times import Item, all_day_span, timed_span
from pipeline.sandbox.data.phrases import (
    ALL_DAY_TITLES,
    HOLIDAY_TITLES,
    MEETING_TITLES,
    SOLO_TITLES,
)
from pipeline.sandbox.data.scene import Scene, any_day, any_span, any_start, new_event

_SEEN_BY_ALL = (
    "id",
    "status",
    "created",
    "iCalUID",
    "sequence",
    "start",
    "end",
    "eventType",
    "recurrence",
)


def meeting(scene: Scene) -> Item:
    """A timed event with other people."""
    parts = [any_span(scene), event_details.details(scene.persona, scene.random)]
    parts.append(guests.meeting(scene.persona, scene.calendar, scene.random))
    if scene.random.random() < 0.5:
        parts.append(event_details.conference(scene.random))
    return new_event(scene, scene.random.choice(MEETING_TITLES), *parts)


def appointment(scene: Scene) -> Item:
    """A timed event of the user alone."""
    extras = event_details.details(scene.persona, scene.random)
    return new_event(scene, scene.random.choice(SOLO_TITLES), any_span(scene), extras)


def without_title(scene: Scene) -> Item:
    """An event that nobody gave a title: the field is absent, not empty."""
    event = appointment(scene)
    del event["summary"]
    return event


def all_day(scene: Scene) -> Item:
    """One whole day."""
    title = scene.random.choice(ALL_DAY_TITLES)
    return new_event(scene, title, all_day_span(any_day(scene), 1), {"transparency": "transparent"})


def several_days(scene: Scene) -> Item:
    """Days in a row, or a timed event across midnight."""
    random = scene.random
    if random.random() < 0.7:
        span = all_day_span(any_day(scene), random.randint(2, 14))
    else:
        span = timed_span(any_start(scene), timedelta(hours=random.randint(20, 60)), scene.zone)
    return new_event(scene, random.choice(ALL_DAY_TITLES), span)


def absence(scene: Scene) -> Item:
    """An out-of-office event."""
    return new_event(scene, "Out of office", any_span(scene), event_details.out_of_office())


def focus(scene: Scene) -> Item:
    """A focus-time event."""
    return new_event(scene, "Focus time", any_span(scene), event_details.focus_time())


def working_location(scene: Scene) -> Item:
    """A working-location event: where the user is that day."""
    place = event_details.working_location(scene.random)
    return new_event(scene, "Working location", all_day_span(any_day(scene), 1), place)


def from_mail(scene: Scene) -> Item:
    """An event that Google read out of a mail."""
    booking: Item = {"eventType": "fromGmail", "privateCopy": True, "visibility": "private"}
    return new_event(scene, "✈ Flight to Lisboa (TP 535)", any_span(scene), booking)


def holiday(scene: Scene) -> Item:
    """A day in a public calendar."""
    title, span = scene.random.choice(HOLIDAY_TITLES), all_day_span(any_day(scene), 1)
    return new_event(scene, title, span, {"transparency": "transparent", "visibility": "public"})


def busy_block(scene: Scene) -> Item:
    """What a free/busy reader sees: that time is taken, and nothing else."""
    return without_details(new_event(scene, "", any_span(scene)))


def without_details(event: Item) -> Item:
    """What is left of an event for somebody who may not see more than when it is."""
    return {key: event[key] for key in _SEEN_BY_ALL if key in event} | {"visibility": "private"}
