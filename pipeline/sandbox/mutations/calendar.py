"""Changes in Google Calendar."""

from collections.abc import Callable
from datetime import timedelta

from pipeline.sandbox.changes import Change, Put, Remove
from pipeline.sandbox.data import event_times, guests
from pipeline.sandbox.data.calendars import primary_calendar, secondary_calendar
from pipeline.sandbox.data.event_times import Item, When
from pipeline.sandbox.data.events import any_event
from pipeline.sandbox.data.phrases import CALENDAR_TITLES, MEETING_TITLES, PLACES
from pipeline.sandbox.data.scene import Scene
from pipeline.sandbox.mutations.situation import Mutation, Situation

SOURCE = "google_calendar"
_MOST_CALENDARS = 12


def stream_of(calendar_id: str) -> str:
    """The stream that holds a calendar's events."""
    return f"events/{calendar_id}"


def _put_event(calendar: Item, event: Item) -> Put:
    return Put(SOURCE, stream_of(calendar["id"]), event["id"], event)


def _remove_event(calendar: Item, event_id: str) -> Remove:
    return Remove(SOURCE, stream_of(calendar["id"]), event_id)


def _shows_details(calendar: Item) -> bool:
    return bool(calendar["accessRole"] != "freeBusyReader")


def _is_private_place(calendar: Item) -> bool:
    """A calendar of people, not a public one that nobody here can change."""
    return _shows_details(calendar) and "@group.v." not in calendar["id"]


def _is_live(event: Item) -> bool:
    return bool(event["status"] != "cancelled")


def _is_single(event: Item) -> bool:
    return _is_live(event) and "recurrence" not in event and "recurringEventId" not in event


def _is_plain(event: Item) -> bool:
    return _is_single(event) and event.get("eventType", "default") == "default"


def _is_series(event: Item) -> bool:
    return "recurrence" in event


def _own_entry(event: Item) -> Item | None:
    return next((guest for guest in event.get("attendees", ()) if guest.get("self")), None)


def _pick_event(
    situation: Situation,
    fits_event: Callable[[Item], object],
    fits_calendar: Callable[[Item], object] = _is_private_place,
) -> tuple[Item, Item] | None:
    """A calendar and one of its events."""
    calendar = situation.pick(SOURCE, "calendars", fits_calendar)
    if calendar is None:
        return None
    event = situation.pick(SOURCE, stream_of(calendar["id"]), fits_event)
    return None if event is None else (calendar, event)


def _put_calendar(entry: Item) -> list[Change]:
    return [Put(SOURCE, "calendars", entry["id"], entry)]


def add_event(situation: Situation) -> list[Change]:
    """A new event; if there is no calendar at all, the primary one instead."""
    calendar = situation.pick(SOURCE, "calendars")
    if calendar is None:
        return _put_calendar(primary_calendar(situation.persona, situation.random))
    event = any_event(Scene(situation.persona, calendar, situation.random))
    if "created" in event:
        event["created"] = event_times.timestamp(situation.now)
    return [_put_event(calendar, event)]


def edit_event(situation: Situation) -> list[Change]:
    """Another title, text or place."""
    picked = _pick_event(situation, lambda event: _is_live(event) and "organizer" in event)
    if picked is None:
        return []
    calendar, event = picked
    random = situation.random
    field, value = random.choice(
        (
            ("summary", random.choice(MEETING_TITLES)),
            ("description", random.choice(situation.persona.phrases.paragraphs)),
            ("location", random.choice(PLACES)),
        )
    )
    return [_put_event(calendar, {**event, field: value})]


def reschedule_event(situation: Situation) -> list[Change]:
    """Another time for an event, or for an occurrence that was moved before."""
    picked = _pick_event(
        situation, lambda event: _is_live(event) and not _is_series(event), lambda _: True
    )
    if picked is None:
        return []
    calendar, event = picked
    shift = timedelta(days=situation.random.choice((-2, -1, 1, 3, 7)))
    return [_put_event(calendar, {**event, **event_times.shifted(event, shift)})]


def switch_all_day(situation: Situation) -> list[Change]:
    """A timed event becomes an all-day one, or the other way round."""
    picked = _pick_event(situation, _is_plain)
    if picked is None:
        return []
    calendar, event = picked
    first_day = event_times.wall_clock(event["start"]).date()
    zone = calendar["timeZone"]
    if event_times.is_all_day(event["start"]):
        start = event_times.local_moment(first_day, 9, 0, zone)
        span = event_times.timed_span(start, timedelta(hours=1), zone)
    else:
        span = event_times.all_day_span(first_day, 1)
    return [_put_event(calendar, {**event, **span})]


def answer_invitation(situation: Situation) -> list[Change]:
    """The user says yes, no or perhaps."""
    picked = _pick_event(situation, lambda event: _is_live(event) and _own_entry(event))
    if picked is None:
        return []
    calendar, event = picked
    present = next(guest["responseStatus"] for guest in event["attendees"] if guest.get("self"))
    answer = situation.random.choice([word for word in guests.RESPONSES if word != present])
    attendees = [
        {**guest, "responseStatus": answer} if guest.get("self") else guest
        for guest in event["attendees"]
    ]
    return [_put_event(calendar, {**event, "attendees": attendees})]


def invite_guest(situation: Situation) -> list[Change]:
    """One more attendee."""
    picked = _pick_event(situation, lambda event: _is_live(event) and "attendees" in event)
    if picked is None:
        return []
    calendar, event = picked
    guest = guests.attendee(situation.persona.acquaintance(situation.random), situation.random)
    if any(present["email"] == guest["email"] for present in event["attendees"]):
        return []
    attendees = [*event["attendees"], guest | {"responseStatus": "needsAction"}]
    return [_put_event(calendar, {**event, "attendees": attendees})]


def _may_leave(guest: Item) -> bool:
    return not guest.get("self") and not guest.get("organizer")


def uninvite_guest(situation: Situation) -> list[Change]:
    """One attendee less; neither the user nor the organizer."""
    picked = _pick_event(
        situation,
        lambda event: _is_live(event) and any(map(_may_leave, event.get("attendees", ()))),
    )
    if picked is None:
        return []
    calendar, event = picked
    leaving = situation.random.choice([*filter(_may_leave, event["attendees"])])
    attendees = [guest for guest in event["attendees"] if guest is not leaving]
    return [_put_event(calendar, {**event, "attendees": attendees})]


def delete_event(situation: Situation) -> list[Change]:
    """A single event goes."""
    picked = _pick_event(situation, _is_single, lambda _: True)
    return [_remove_event(picked[0], picked[1]["id"])] if picked else []


def move_event(situation: Situation) -> list[Change]:
    """An event changes to another calendar and keeps its id there."""
    picked = _pick_event(situation, _is_plain)
    target = situation.pick(SOURCE, "calendars", _is_private_place)
    if picked is None or target is None or target["id"] == picked[0]["id"]:
        return []
    calendar, event = picked
    if situation.item(SOURCE, stream_of(target["id"]), event["id"]) is not None:
        return []
    organizer = {"email": target["id"], "displayName": target["summary"], "self": True}
    moved = {**event, "organizer": organizer}
    return [_remove_event(calendar, event["id"]), _put_event(target, moved)]


def _pick_occurrence(situation: Situation) -> tuple[Item, Item, When] | None:
    """A calendar, a series in it, and one of the occurrences around now."""
    picked = _pick_event(situation, _is_series)
    if picked is None:
        return None
    after = situation.now - timedelta(days=30)
    starts = event_times.original_starts(picked[1], after, 12)
    return (*picked, situation.random.choice(starts)) if starts else None


def move_occurrence(situation: Situation) -> list[Change]:
    """One occurrence of a series takes place at another time."""
    picked = _pick_occurrence(situation)
    if picked is None:
        return []
    calendar, series, when = picked
    shift = timedelta(days=situation.random.choice((1, 2)), minutes=30)
    return [_put_event(calendar, event_times.moved_instance(series, when, shift))]


def cancel_occurrence(situation: Situation) -> list[Change]:
    """One occurrence of a series does not take place."""
    picked = _pick_occurrence(situation)
    if picked is None:
        return []
    calendar, series, when = picked
    return [_put_event(calendar, event_times.cancelled_instance(series, when))]


def delete_series(situation: Situation) -> list[Change]:
    """A series goes, and its exceptions with it."""
    picked = _pick_event(situation, _is_series)
    return [_remove_event(picked[0], picked[1]["id"])] if picked else []


def add_calendar(situation: Situation) -> list[Change]:
    """A new calendar; the primary one if that is missing."""
    count = situation.count(SOURCE, "calendars")
    if count >= _MOST_CALENDARS:
        return []
    if situation.item(SOURCE, "calendars", situation.persona.email) is None:
        return _put_calendar(primary_calendar(situation.persona, situation.random))
    return _put_calendar(secondary_calendar(situation.persona, situation.random))


def _is_secondary(calendar: Item) -> bool:
    return not calendar.get("primary")


def remove_calendar(situation: Situation) -> list[Change]:
    """A calendar leaves the list, and its events with it; the primary one stays."""
    calendar = situation.pick(SOURCE, "calendars", _is_secondary)
    return [Remove(SOURCE, "calendars", calendar["id"])] if calendar else []


def rename_calendar(situation: Situation) -> list[Change]:
    """Another title for a calendar."""
    calendar = situation.pick(SOURCE, "calendars", _is_secondary)
    if calendar is None:
        return []
    field = "summary" if calendar["accessRole"] == "owner" else "summaryOverride"
    title = f"{situation.random.choice(CALENDAR_TITLES)} {situation.now.year}"
    return _put_calendar({**calendar, field: title})


#: How often each change is proposed, by weight.
MIX: dict[Mutation, int] = {
    add_event: 12, edit_event: 6, reschedule_event: 6, switch_all_day: 1, answer_invitation: 5,
    invite_guest: 3, uninvite_guest: 2, delete_event: 4, move_event: 2, move_occurrence: 3,
    cancel_occurrence: 2, delete_series: 2, add_calendar: 1, remove_calendar: 1, rename_calendar: 1,
}  # fmt: skip
