"""Recurring events, and the occurrences that differ from their rule."""

from collections.abc import Iterator
from datetime import date, timedelta

from pipeline.sandbox.data import event_details
from pipeline.sandbox.data.event_kinds import meeting
from pipeline.sandbox.data.event_times import (
    Item,
    all_day_span,
    cancelled_instance,
    exclusion,
    local_moment,
    moved_instance,
    original_starts,
    timed_span,
)
from pipeline.sandbox.data.phrases import ALL_DAY_TITLES
from pipeline.sandbox.data.scene import Scene, new_event

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MOST_EXCEPTIONS = 4


def _series_start(scene: Scene) -> date:
    return (scene.persona.now - timedelta(days=scene.random.randint(10, 250))).date()


def _rule(scene: Scene, first_day: date) -> str:
    """A rule whose first occurrence is `first_day`; endless, counted, or until a near date."""
    random = scene.random
    weekday = _WEEKDAYS[first_day.weekday()]
    rule = random.choice(
        (
            f"FREQ=WEEKLY;BYDAY={weekday}",
            f"FREQ=WEEKLY;BYDAY={weekday}",
            f"FREQ=WEEKLY;INTERVAL=2;BYDAY={weekday}",
            f"FREQ=MONTHLY;BYMONTHDAY={min(first_day.day, 28)}",
            "FREQ=DAILY",
        )
    )
    if rule == "FREQ=DAILY" or random.random() < 0.2:
        return f"RRULE:{rule};COUNT={random.randint(3, 30)}"
    if random.random() < 0.4:
        until = first_day + timedelta(days=random.randint(30, 500))
        return f"RRULE:{rule};UNTIL={until:%Y%m%d}"
    return f"RRULE:{rule}"


def _until_as(rule: str, *, timed: bool) -> str:
    """UNTIL is a date in an all-day series and a moment in UTC otherwise (RFC 5545, 3.3.10)."""
    return f"{rule}T235959Z" if timed and "UNTIL=" in rule else rule


def _recurring(scene: Scene, first_day: date, rule: str) -> Item:
    random = scene.random
    if random.random() < 0.15:
        event = new_event(scene, random.choice(ALL_DAY_TITLES), all_day_span(first_day, 1))
    else:
        start = local_moment(first_day, random.randint(7, 18), random.choice((0, 30)), scene.zone)
        event = meeting(scene) | timed_span(start, timedelta(minutes=30), scene.zone)
    recurrence = [_until_as(rule, timed="dateTime" in event["start"])]
    event["recurrence"] = recurrence
    if random.random() < 0.2:
        skipped = original_starts(event, scene.persona.now - timedelta(days=300), 3)
        recurrence += [exclusion(when) for when in skipped[1:2]]
    return event


def series(scene: Scene) -> Item:
    """A recurring event that may still go on."""
    first_day = _series_start(scene)
    if first_day.day > 28:
        first_day -= timedelta(days=3)
    return _recurring(scene, first_day, _rule(scene, first_day))


def ended_series(scene: Scene) -> Item:
    """A recurring event whose last occurrence lies more than a year back."""
    days_ago = scene.random.randint(700, 1500)
    first_day = (scene.persona.now - timedelta(days=days_ago)).date()
    until = first_day + timedelta(days=scene.random.randint(60, 300))
    weekday = _WEEKDAYS[first_day.weekday()]
    return _recurring(scene, first_day, f"RRULE:FREQ=WEEKLY;BYDAY={weekday};UNTIL={until:%Y%m%d}")


def birthday(scene: Scene) -> Item:
    """Somebody's birthday, each year."""
    person = scene.persona.acquaintance(scene.random)
    born = date(scene.random.randint(1950, 2010), scene.random.randint(1, 12), 15)
    rule: Item = {"recurrence": ["RRULE:FREQ=YEARLY"]}
    title = f"{person.display_name} – birthday"
    return new_event(scene, title, all_day_span(born, 1), event_details.birthday(), rule)


def exceptions(scene: Scene, master: Item) -> Iterator[Item]:
    """A few occurrences of a series that were moved or cancelled."""
    random = scene.random
    if random.random() < 0.5:
        return
    starts = original_starts(master, scene.persona.now - timedelta(days=40), 12)
    for when in random.sample(starts, min(len(starts), random.randint(1, _MOST_EXCEPTIONS))):
        if random.random() < 0.4:
            yield cancelled_instance(master, when)
        else:
            yield moved_instance(master, when, timedelta(days=1, hours=random.randint(-2, 3)))
