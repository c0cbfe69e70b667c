"""The events of one calendar, in a mix that depends on whose calendar it is."""

from collections.abc import Callable, Iterator
from itertools import islice

from pipeline.sandbox.data.event_kinds import (
    absence,
    all_day,
    appointment,
    busy_block,
    focus,
    from_mail,
    holiday,
    meeting,
    several_days,
    without_details,
    without_title,
    working_location,
)
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.persona import Persona
from pipeline.sandbox.data.scene import Scene
from pipeline.sandbox.data.series import birthday, ended_series, exceptions, series

#: Roles to which private events look like busy time:
#: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList#accessRole
_BLIND_ROLES = ("reader", "writerWithoutPrivateAccess")

Maker = Callable[[Scene], Item]
#: What stands in an ordinary calendar, with weights.
MIX: dict[Maker, int] = {
    meeting: 46, appointment: 14, without_title: 2, all_day: 8, several_days: 3, series: 10,
    ended_series: 3, absence: 2, focus: 3, working_location: 3, birthday: 2, from_mail: 2,
}  # fmt: skip
_MAKERS, _WEIGHTS = list(MIX), list(MIX.values())


def any_event(scene: Scene) -> Item:
    """One event (never an exception) that fits the calendar."""
    if scene.calendar["accessRole"] == "freeBusyReader":
        return busy_block(scene)
    if "#holiday@" in scene.calendar["id"]:
        return holiday(scene)
    event = scene.random.choices(_MAKERS, _WEIGHTS)[0](scene)
    hidden = event.get("visibility") in ("private", "confidential")
    if hidden and scene.calendar["accessRole"] in _BLIND_ROLES:
        return without_details(event)
    return event


def _endless(scene: Scene) -> Iterator[Item]:
    while True:
        event = any_event(scene)
        yield event
        if "recurrence" in event:
            yield from exceptions(scene, event)


def events(persona: Persona, calendar: Item, count: int) -> Iterator[Item]:
    """`count` events of one calendar; a series comes before its exceptions."""
    scene = Scene(persona, calendar, persona.random(f"events/{calendar['id']}"))
    return islice(_endless(scene), count)
