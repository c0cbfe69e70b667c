"""Calendar's sync tokens: what they bring, what they cannot be combined with, how they end."""

from __future__ import annotations

import pytest
from google_client import pages, reason
from googleapiclient.errors import HttpError
from test_sandbox_calendar import CALENDAR, event

NOON = ("2026-01-05T12:00:00Z", "2026-01-05T13:00:00Z")


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user()
    for name in ("one", "two", "three"):
        sandbox.put(user, CALENDAR, f"events/{user}@sandbox.example", name, event(name, *NOON))
    return user


@pytest.fixture
def primary(ada):
    return f"events/{ada}@sandbox.example"


def sync_token(google, **params) -> str:
    return pages(google.calendar.events().list, calendarId="primary", **params)[-1]["nextSyncToken"]


def changes(google, token: str) -> dict[str, str]:
    found = pages(google.calendar.events().list, calendarId="primary", syncToken=token)
    return {item["id"]: item["status"] for page in found for item in page["items"]}


def test_an_incremental_listing_brings_changes_and_tombstones(sandbox, ada, primary, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    sandbox.put(ada, CALENDAR, primary, "two", event("Changed", *NOON))
    sandbox.put(ada, CALENDAR, primary, "four", event("New", *NOON))
    sandbox.remove(ada, CALENDAR, primary, "one")
    assert changes(google, token) == {"two": "confirmed", "four": "confirmed", "one": "cancelled"}


def test_nothing_changed_means_an_empty_page_and_a_new_token(ada, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    page = google.calendar.events().list(calendarId="primary", syncToken=token).execute()
    assert page["items"] == []
    assert page["nextSyncToken"]


def test_a_change_during_a_listing_is_not_lost(sandbox, ada, primary, sign_in):
    events = sign_in(ada).calendar.events()
    first = events.list(calendarId="primary", maxResults=1).execute()
    seen = first["items"][0]["id"]
    sandbox.put(ada, CALENDAR, primary, seen, event("Changed behind the listing", *NOON))
    rest = events.list(calendarId="primary", maxResults=5, pageToken=first["nextPageToken"])
    assert seen in changes(sign_in(ada), rest.execute()["nextSyncToken"])


def test_an_incremental_listing_has_pages_too(sandbox, ada, primary, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    for number in range(7):
        sandbox.put(ada, CALENDAR, primary, f"new{number}", event("New", *NOON))
    found = pages(
        google.calendar.events().list, calendarId="primary", syncToken=token, maxResults=3
    )
    assert len(found) == 3
    assert len({item["id"] for page in found for item in page["items"]}) == 7
    assert ["nextSyncToken" in page for page in found] == [False, False, True]


@pytest.mark.parametrize(
    "restriction",
    [
        {"iCalUID": "x"},
        {"orderBy": "updated"},
        {"privateExtendedProperty": ["a=b"]},
        {"q": "x"},
        {"sharedExtendedProperty": ["a=b"]},
        {"timeMin": "2026-01-01T00:00:00Z"},
        {"timeMax": "2026-01-01T00:00:00Z"},
        {"updatedMin": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_sync_token_takes_no_other_restriction(ada, sign_in, restriction):
    google = sign_in(ada)
    request = google.calendar.events().list(
        calendarId="primary", syncToken=sync_token(google), **restriction
    )
    with pytest.raises(HttpError, match="cannot be used with other request restrictions"):
        request.execute()


def test_deleted_events_cannot_be_hidden_from_an_incremental_listing(ada, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    with pytest.raises(HttpError) as refused:
        google.calendar.events().list(
            calendarId="primary", syncToken=token, showDeleted=False
        ).execute()
    assert refused.value.status_code == 400


def test_an_expired_sync_token_is_answered_with_410(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    sandbox.expire_cursors(ada, CALENDAR)
    with pytest.raises(HttpError) as refused:
        changes(google, token)
    assert refused.value.status_code == 410
    assert reason(refused.value) == "fullSyncRequired"
    assert changes(google, sync_token(google)) == {}


def test_a_token_can_expire_between_two_pages(sandbox, ada, primary, sign_in):
    google = sign_in(ada)
    token = sync_token(google)
    for name in ("one", "two"):
        sandbox.put(ada, CALENDAR, primary, name, event("Changed", *NOON))
    events = google.calendar.events()
    page = events.list(calendarId="primary", syncToken=token, maxResults=1).execute()
    sandbox.expire_cursors(ada, CALENDAR)
    with pytest.raises(HttpError) as refused:
        events.list(
            calendarId="primary", syncToken=token, pageToken=page["nextPageToken"]
        ).execute()
    assert refused.value.status_code == 410


@pytest.mark.parametrize("token", ["nonsense", "bm90LWEtdG9rZW4=", "ü"])
def test_a_forged_sync_token_is_answered_with_410(ada, sign_in, token):
    with pytest.raises(HttpError) as refused:
        changes(sign_in(ada), token)
    assert refused.value.status_code == 410


def test_another_calendars_token_is_refused(sandbox, ada, sign_in):
    sandbox.put(ada, CALENDAR, "calendars", "team", {"summary": "T", "accessRole": "owner"})
    google = sign_in(ada)
    with pytest.raises(HttpError) as refused:
        google.calendar.events().list(calendarId="team", syncToken=sync_token(google)).execute()
    assert refused.value.status_code == 410


def test_the_calendar_list_reports_removed_and_hidden_entries(sandbox, ada, sign_in):
    calendars = sign_in(ada).calendar.calendarList()
    for name in ("team", "club"):
        entry = {"summary": name, "accessRole": "owner"}
        sandbox.put(ada, CALENDAR, "calendars", name, entry)
    token = calendars.list().execute()["nextSyncToken"]
    sandbox.remove(ada, CALENDAR, "calendars", "team")
    sandbox.put(ada, CALENDAR, "calendars", "club", {"summary": "club", "hidden": True})
    changed = calendars.list(syncToken=token).execute()["items"]
    assert {item["id"]: (item.get("deleted"), item.get("hidden")) for item in changed} == {
        "team": (True, None),
        "club": (None, True),
    }
    with pytest.raises(HttpError, match="cannot be used with other"):
        calendars.list(syncToken=token, minAccessRole="owner").execute()
    with pytest.raises(HttpError, match="cannot be set to false"):
        calendars.list(syncToken=token, showHidden=False).execute()
