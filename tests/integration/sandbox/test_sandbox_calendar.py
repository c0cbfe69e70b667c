"""Calendar: listings, what they leave out, single entries."""

from __future__ import annotations

from typing import Any

import pytest
from google_client import pages, reason
from googleapiclient.errors import HttpError

CALENDAR = "google_calendar"


def event(summary: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "start": {"dateTime": start, "timeZone": "Europe/Berlin"},
        "end": {"dateTime": end, "timeZone": "Europe/Berlin"},
    } | more


@pytest.fixture
def ada(sandbox, new_user):
    """A user with an empty primary calendar."""
    return new_user()


@pytest.fixture
def primary(ada):
    return f"events/{ada}@sandbox.example"


@pytest.fixture
def put(sandbox, ada, primary):
    def put_event(event_id: str, item: dict[str, Any]) -> None:
        sandbox.put(ada, CALENDAR, primary, event_id, item)

    return put_event


def listed(google, **params: Any) -> list[str]:
    found = pages(google.calendar.events().list, calendarId="primary", **params)
    return [item["id"] for page in found for item in page["items"]]


def test_pages_are_complete_and_without_repetition(sandbox, new_user, sign_in):
    user = new_user(events=57)
    google = sign_in(user)
    found = pages(google.calendar.events().list, calendarId="primary", maxResults=10)
    ids = [item["id"] for page in found for item in page["items"]]
    truth = {item_id for stream, item_id, _ in sandbox.truth(user, CALENDAR) if "/" in stream}
    assert len(found) == 6
    assert set(ids) == truth
    assert len(ids) == 57


def test_only_the_last_page_carries_a_sync_token(new_user, sign_in):
    google = sign_in(new_user(events=25))
    found = pages(google.calendar.events().list, calendarId="primary", maxResults=10)
    assert ["nextSyncToken" in page for page in found] == [False, False, True]


@pytest.mark.parametrize("params", [{"orderBy": "updated"}, {"q": "meeting"}])
def test_some_restrictions_suppress_the_sync_token(new_user, sign_in, params):
    google = sign_in(new_user(events=5))
    page = google.calendar.events().list(calendarId="primary", **params).execute()
    assert "nextSyncToken" not in page


def test_a_time_window_still_gives_a_sync_token(ada, sign_in):
    page = sign_in(ada).calendar.events().list(calendarId="primary", timeMin="2026-01-01T00:00:00Z")
    assert "nextSyncToken" in page.execute()


def test_the_window_leaves_out_what_has_ended_and_what_starts_later(ada, put, sign_in):
    put("past", event("Past", "2026-01-01T10:00:00+01:00", "2026-01-01T11:00:00+01:00"))
    put("over", event("Over", "2026-02-01T10:00:00+01:00", "2026-02-01T13:00:00+01:00"))
    put("later", event("Later", "2026-03-01T10:00:00+01:00", "2026-03-01T11:00:00+01:00"))
    window = {"timeMin": "2026-02-01T12:00:00+01:00", "timeMax": "2026-03-01T10:00:00+01:00"}
    assert listed(sign_in(ada), **window) == ["over"]


def test_a_series_that_ended_long_ago_is_outside_the_window(ada, put, sign_in):
    rule = "RRULE:FREQ=WEEKLY;UNTIL=20250301T000000Z"
    start, end = "2025-01-06T10:00:00+01:00", "2025-01-06T11:00:00+01:00"
    put("ended", event("Ended", start, end, recurrence=[rule]))
    put("endless", event("Endless", start, end, recurrence=["RRULE:FREQ=WEEKLY"]))
    put("counted", event("Counted", start, end, recurrence=["RRULE:FREQ=YEARLY;COUNT=3"]))
    assert listed(sign_in(ada), timeMin="2026-06-01T00:00:00Z") == ["counted", "endless"]


def test_a_window_between_two_occurrences_leaves_the_series_out(ada, put, sign_in):
    start, end = "2025-01-06T10:00:00+01:00", "2025-01-06T11:00:00+01:00"
    put("yearly", event("Yearly", start, end, recurrence=["RRULE:FREQ=YEARLY"]))
    google = sign_in(ada)
    assert listed(google, timeMin="2026-02-01T00:00:00Z", timeMax="2026-03-01T00:00:00Z") == []
    assert listed(google, timeMin="2026-01-01T00:00:00Z", timeMax="2026-02-01T00:00:00Z") != []


def test_a_cancelled_instance_of_a_living_series_is_always_listed(
    sandbox, ada, put, primary, sign_in
):
    start, end = "2026-01-05T10:00:00+01:00", "2026-01-05T11:00:00+01:00"
    put("weekly", event("Weekly", start, end, recurrence=["RRULE:FREQ=WEEKLY"]))
    instance = {"recurringEventId": "weekly", "originalStartTime": {"dateTime": start}}
    put("weekly_1", instance | {"status": "cancelled"})
    items = sign_in(ada).calendar.events().list(calendarId="primary").execute()["items"]
    cancelled = next(item for item in items if item["id"] == "weekly_1")
    assert set(cancelled) == {
        *("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")
    }
    sandbox.remove(ada, CALENDAR, primary, "weekly")
    assert listed(sign_in(ada)) == []
    assert sorted(listed(sign_in(ada), showDeleted=True)) == ["weekly", "weekly_1"]


def test_removing_an_instance_leaves_it_cancelled(sandbox, ada, put, primary, sign_in):
    start, end = "2026-01-05T10:00:00+01:00", "2026-01-05T11:00:00+01:00"
    put("weekly", event("Weekly", start, end, recurrence=["RRULE:FREQ=WEEKLY"]))
    moved = {"recurringEventId": "weekly", "originalStartTime": {"dateTime": start}}
    put("weekly_1", event("Moved", start, end) | moved)
    sandbox.remove(ada, CALENDAR, primary, "weekly_1")
    found = sign_in(ada).calendar.events().get(calendarId="primary", eventId="weekly_1").execute()
    assert found["status"] == "cancelled"
    assert "weekly_1" in listed(sign_in(ada))


def test_a_deleted_event_can_still_be_got(sandbox, ada, put, primary, sign_in):
    put("gone", event("Gone", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"))
    sandbox.remove(ada, CALENDAR, primary, "gone")
    google = sign_in(ada)
    assert listed(google) == []
    found = google.calendar.events().get(calendarId="primary", eventId="gone").execute()
    assert found["status"] == "cancelled"


def test_whoever_may_only_see_free_and_busy_learns_nothing_else(sandbox, ada, sign_in):
    entry = {"summary": "Boss", "accessRole": "freeBusyReader", "timeZone": "Europe/Berlin"}
    sandbox.put(ada, CALENDAR, "calendars", "boss@example.com", entry)
    secret = event(
        *("Secret", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"),
        attendees=[{"email": "a@example.com"}],
        location="Somewhere",
    )
    sandbox.put(ada, CALENDAR, "events/boss@example.com", "busy", secret)
    google = sign_in(ada)
    page = google.calendar.events().list(calendarId="boss@example.com").execute()
    assert page["accessRole"] == "freeBusyReader"
    assert not {"summary", "attendees", "location", "description"} & set(page["items"][0])
    truth = {item_id: item for _, item_id, item in sandbox.truth(ada, CALENDAR)}
    assert truth["busy"] == page["items"][0]


def test_an_unknown_calendar_is_answered_with_404(ada, sign_in):
    with pytest.raises(HttpError) as refused:
        sign_in(ada).calendar.events().list(calendarId="nobody@example.com").execute()
    assert refused.value.status_code == 404
    assert reason(refused.value) == "notFound"


def test_a_removed_calendar_takes_its_events_along(sandbox, ada, sign_in):
    sandbox.put(ada, CALENDAR, "calendars", "team", {"summary": "Team", "accessRole": "owner"})
    sandbox.put(
        ada,
        CALENDAR,
        "events/team",
        "e1",
        event("E", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"),
    )
    google = sign_in(ada)
    assert google.calendar.events().list(calendarId="team").execute()["items"]
    sandbox.remove(ada, CALENDAR, "calendars", "team")
    with pytest.raises(HttpError) as refused:
        google.calendar.events().list(calendarId="team").execute()
    assert refused.value.status_code == 404
    assert {stream for stream, _, _ in sandbox.truth(ada, CALENDAR)} == {"calendars"}


def test_expansion_of_series_is_refused_in_words(ada, sign_in):
    with pytest.raises(HttpError, match="does not expand recurring events"):
        sign_in(ada).calendar.events().list(calendarId="primary", singleEvents=True).execute()


def test_hidden_calendars_come_only_when_asked_for(sandbox, ada, sign_in):
    entry = {"summary": "Hidden", "accessRole": "reader", "hidden": True}
    sandbox.put(ada, CALENDAR, "calendars", "hidden", entry)
    calendars = sign_in(ada).calendar.calendarList()
    ids = [item["id"] for item in calendars.list().execute()["items"]]
    shown = [item["id"] for item in calendars.list(showHidden=True).execute()["items"]]
    assert "hidden" not in ids
    assert "hidden" in shown
    writable = calendars.list(showHidden=True, minAccessRole="writer").execute()["items"]
    assert "hidden" not in [item["id"] for item in writable]


def test_the_primary_calendar_has_its_own_name(ada, sign_in):
    google = sign_in(ada)
    entry = google.calendar.calendarList().get(calendarId="primary").execute()
    assert entry["id"] == f"{ada}@sandbox.example"
    calendar = google.calendar.calendars().get(calendarId="primary").execute()
    assert calendar["id"] == entry["id"]
    assert "accessRole" not in calendar


def test_attendees_above_the_limit_are_left_out(ada, put, sign_in):
    guests = [{"email": f"guest{n}@example.com"} for n in range(4)]
    guests.append({"email": f"{ada}@sandbox.example", "self": True})
    put("party", event("Party", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z", attendees=guests))
    events = sign_in(ada).calendar.events()
    found = events.list(calendarId="primary", maxAttendees=2).execute()["items"][0]
    assert found["attendeesOmitted"] is True
    assert [guest["email"] for guest in found["attendees"]] == [f"{ada}@sandbox.example"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"q": "quarterly review"}, ["review"]),
        ({"q": "Guest@example.com"}, ["review"]),
        ({"iCalUID": "away@google.com"}, ["away"]),
        ({"eventTypes": ["outOfOffice"]}, ["away"]),
        ({"eventTypes": ["outOfOffice", "default"]}, ["away", "review"]),
        ({"privateExtendedProperty": ["crm.id=7"]}, ["review"]),
        ({"privateExtendedProperty": ["crm.id=8"]}, []),
        ({"sharedExtendedProperty": ["crm.id=7"]}, []),
        ({"orderBy": "updated", "maxResults": 1}, ["review", "away"]),
    ],
)
def test_filters_leave_what_they_say(ada, put, sign_in, params, expected):
    day = ("2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z")
    private = {"private": {"crm.id": "7"}}
    guests = [{"email": "guest@example.com"}]
    review = event("Quarterly Review", *day, extendedProperties=private, attendees=guests)
    put("review", review)
    put("away", event("Away", *day, eventType="outOfOffice"))
    assert listed(sign_in(ada), **params) == expected


def test_updated_min_brings_what_was_deleted_since(sandbox, ada, put, primary, sign_in):
    put("gone", event("Gone", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"))
    since = sandbox.clock()
    put("new", event("New", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"))
    sandbox.remove(ada, CALENDAR, primary, "gone")
    assert sorted(listed(sign_in(ada), updatedMin=since)) == ["gone", "new"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"orderBy": "startTime"}, "badRequest"),
        ({"timeMin": "2026-02-01T00:00:00Z", "timeMax": "2026-01-01T00:00:00Z"}, "timeRangeEmpty"),
        ({"timeMin": "2026-02-01"}, "badRequest"),
        ({"maxResults": 0}, "invalidParameter"),
        ({"pageToken": "nonsense"}, "invalid"),
    ],
)
def test_a_wrong_parameter_is_refused(ada, sign_in, params, expected):
    with pytest.raises(HttpError) as refused:
        listed(sign_in(ada), **params)
    assert (refused.value.status_code, reason(refused.value)) == (400, expected)


def test_an_old_updated_min_is_answered_with_410(ada, sign_in):
    with pytest.raises(HttpError) as refused:
        listed(sign_in(ada), updatedMin="2020-01-01T00:00:00Z")
    assert refused.value.status_code == 410
    assert reason(refused.value) == "updatedMinTooLongAgo"
