"""Entries of a user's calendar list."""

from collections.abc import Iterator
from random import Random

from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.identifiers import secondary_calendar_id
from pipeline.sandbox.data.persona import Persona
from pipeline.sandbox.data.phrases import CALENDAR_TITLES, TIME_ZONES

HOLIDAYS = "en.german#holiday@group.v.calendar.google.com"
_SHARED_ROLES = ("reader", "writer", "writerWithoutPrivateAccess")
_COLORS = ("#9fe1e7", "#fa573c", "#16a765", "#ffad46", "#c2c2c2", "#cd74e6", "#4986e7")


def _look(random: Random) -> Item:
    return {
        "colorId": str(random.randint(1, 24)),
        "backgroundColor": random.choice(_COLORS),
        "foregroundColor": "#000000",
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }


def primary_calendar(persona: Persona, random: Random) -> Item:
    """The calendar that everybody has; its id is the user's address."""
    return {
        "id": persona.email,
        "summary": persona.email,
        "timeZone": persona.time_zone,
        "accessRole": "owner",
        "primary": True,
        "selected": True,
        "defaultReminders": [{"method": "popup", "minutes": 10}],
        "notificationSettings": {
            "notifications": [
                {"type": kind, "method": "email"}
                for kind in ("eventCreation", "eventChange", "eventCancellation")
            ]
        },
    } | _look(random)


def secondary_calendar(persona: Persona, random: Random) -> Item:
    """A further calendar of the user's own, perhaps hidden or in another zone."""
    zone = persona.time_zone if random.random() < 0.6 else random.choice(TIME_ZONES)
    entry = {
        "id": secondary_calendar_id(random),
        "summary": random.choice(CALENDAR_TITLES),
        "timeZone": zone,
        "accessRole": "owner",
        "dataOwner": persona.email,
        "selected": random.random() < 0.8,
        "defaultReminders": [],
    } | _look(random)
    if random.random() < 0.4:
        entry["description"] = random.choice(persona.phrases.sentences)
    if random.random() < 0.15:
        entry["hidden"] = True
    return entry


def _shared(persona: Persona, random: Random, index: int, access_role: str) -> Item:
    owner = persona.circle[index % len(persona.circle)]
    entry = {
        "id": owner.email,
        "summary": owner.email,
        "timeZone": random.choice(TIME_ZONES),
        "accessRole": access_role,
        "selected": random.random() < 0.5,
        "defaultReminders": [],
    } | _look(random)
    if random.random() < 0.5:
        entry["summaryOverride"] = owner.display_name
    return entry


def _holidays(random: Random) -> Item:
    return {
        "id": HOLIDAYS,
        "summary": "Holidays in Germany",
        "timeZone": "UTC",
        "accessRole": "reader",
        "selected": True,
        "defaultReminders": [],
    } | _look(random)


def calendars(persona: Persona, count: int) -> Iterator[Item]:
    """`count` entries: the primary calendar, then own, public, free/busy and shared ones."""
    random = persona.random("calendars")
    for index in range(count):
        turn = index % 6
        if index == 0:
            yield primary_calendar(persona, random)
        elif index == 2:
            yield _holidays(random)
        elif turn == 3 and index < len(persona.circle):
            yield _shared(persona, random, index, "freeBusyReader")
        elif turn == 4 and index < len(persona.circle):
            yield _shared(persona, random, index, random.choice(_SHARED_ROLES))
        else:
            yield secondary_calendar(persona, random)
