"""Calendar's channels as the real client library opens them, and what they tell."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from google_client import reason
from googleapiclient.errors import HttpError

CALENDAR = "google_calendar"
HOLIDAYS = "en.german#holiday@group.v.calendar.google.com"
WEEK = timedelta(days=7)


@pytest.fixture
def ada(new_user):
    return new_user(events=3, calendars=3)


@pytest.fixture
def google(ada, sign_in):
    return sign_in(ada)


def channel(receiver, **given):
    address = f"{receiver.url}/calendar"
    return {"id": str(uuid.uuid4()), "type": "web_hook", "address": address} | given


def watch(google, body, calendar_id="primary"):
    return google.calendar.events().watch(calendarId=calendar_id, body=body).execute()


def refusal(google, body, calendar_id="primary") -> tuple[int, str]:
    with pytest.raises(HttpError) as refused:
        watch(google, body, calendar_id)
    return refused.value.status_code, reason(refused.value)


def event(summary: str) -> dict:
    day = {"date": "2026-03-01"}
    return {"status": "confirmed", "summary": summary, "start": day, "end": {"date": "2026-03-02"}}


def write(sandbox, user, summary="Lunch", calendar_id="", item_id="lunch1"):
    stream = f"events/{calendar_id or f'{user}@sandbox.example'}"
    sandbox.put(user, CALENDAR, stream, item_id, event(summary))


def test_a_change_reaches_the_channel_that_watches_its_calendar(sandbox, ada, google, receiver):
    body = channel(receiver, token="secret")
    made = watch(google, body)
    assert made["resourceUri"] == (
        "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json"
    )
    assert (made["kind"], made["id"], made["token"]) == ("api#channel", body["id"], "secret")
    (sync,) = receiver.wait_for(1)
    assert (sync.path, sync.body, sync.state, sync.number) == ("/calendar", b"", "sync", 1)
    assert sync.headers["x-goog-channel-token"] == "secret"
    assert sync.headers["x-goog-resource-id"] == made["resourceId"]
    assert sync.headers["x-goog-resource-uri"] == made["resourceUri"]
    expires = parsedate_to_datetime(sync.headers["x-goog-channel-expiration"])
    assert int(expires.timestamp()) == int(made["expiration"]) // 1000
    write(sandbox, ada)
    change = receiver.wait_for(2)[1]
    assert (change.state, change.channel) == ("exists", body["id"])
    assert change.number > 1
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 2}


def test_without_a_token_there_is_no_token_header(ada, google, receiver):
    made = watch(google, channel(receiver))
    assert "token" not in made
    assert "x-goog-channel-token" not in receiver.wait_for(1)[0].headers


def test_message_numbers_grow_in_order_but_not_by_one(sandbox, ada, google, receiver):
    watch(google, channel(receiver))
    for number in range(20):
        write(sandbox, ada, f"Lunch {number}")
    sandbox.wait_until_quiet()
    numbers = [push.number for push in receiver.received]
    assert len(numbers) == 21
    assert numbers == sorted(set(numbers))
    assert numbers != list(range(1, 22))


def test_other_calendars_and_users_are_not_told_of(sandbox, ada, google, new_user, receiver):
    other = f"other-{ada}@group.example"
    entry = {"summary": "Other", "timeZone": "UTC", "accessRole": "owner"}
    sandbox.put(ada, CALENDAR, "calendars", other, entry)
    watch(google, channel(receiver))
    write(sandbox, ada, calendar_id=other)
    bob = new_user()
    write(sandbox, bob)
    sandbox.mutate(5, 20, [bob])
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync"]


def test_what_changes_nothing_is_not_told(sandbox, ada, google, receiver):
    watch(google, channel(receiver))
    sandbox.remove(ada, CALENDAR, f"events/{ada}@sandbox.example", "nothing")
    sandbox.expire_cursors(ada)
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync"]


def test_the_calendar_list_has_a_channel_of_its_own(sandbox, ada, google, receiver):
    body = channel(receiver)
    made = google.calendar.calendarList().watch(body=body).execute()
    assert made["resourceUri"].endswith("/calendar/v3/users/me/calendarList?alt=json")
    entry = {"summary": "Team", "timeZone": "UTC", "accessRole": "owner"}
    sandbox.put(ada, CALENDAR, "calendars", "team@group.calendar.google.com", entry)
    write(sandbox, ada)
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync", "exists"]


def test_a_calendar_that_leaves_the_list_does_not_exist(sandbox, ada, google, receiver):
    team = "team@group.calendar.google.com"
    entry = {"summary": "Team", "timeZone": "UTC", "accessRole": "owner"}
    sandbox.put(ada, CALENDAR, "calendars", team, entry)
    watch(google, channel(receiver), team)
    sandbox.remove(ada, CALENDAR, "calendars", team)
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync", "not_exists"]


def test_a_stopped_channel_says_nothing_more(sandbox, ada, google, receiver):
    body = channel(receiver)
    made = watch(google, body)
    receiver.wait_for(1)
    stop = {"id": made["id"], "resourceId": made["resourceId"]}
    assert not google.calendar.channels().stop(body=stop).execute()
    write(sandbox, ada)
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync"]
    assert refusal(google, body) == (400, "channelIdNotUnique")


def test_only_the_channel_that_is_meant_is_stopped(ada, google, new_user, sign_in, receiver):
    made = watch(google, channel(receiver))
    stop = {"id": made["id"], "resourceId": made["resourceId"]}
    stranger = sign_in(new_user())
    for client, body in (
        (google, stop | {"id": "unknown"}),
        (google, stop | {"resourceId": "other"}),
        (google, {}),
        (stranger, stop),
    ):
        with pytest.raises(HttpError) as refused:
            client.calendar.channels().stop(body=body).execute()
        assert (refused.value.status_code, reason(refused.value)) == (404, "notFound")
    google.calendar.channels().stop(body=stop).execute()
    with pytest.raises(HttpError, match="not found for project"):
        google.calendar.channels().stop(body=stop).execute()


def test_channels_of_one_calendar_share_its_resource(ada, google, receiver):
    first, second = (watch(google, channel(receiver)) for _ in range(2))
    listed = google.calendar.calendarList().watch(body=channel(receiver)).execute()
    assert first["resourceId"] == second["resourceId"] != listed["resourceId"]
    assert receiver.wait_for(3)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"id": ""}, "required"),
        ({"id": "x" * 65}, "channelIdInvalid"),
        ({"id": "what's this"}, "channelIdInvalid"),
        ({"id": 7}, "parseError"),
        ({"type": "email"}, "push.channelTypeNotSupported"),
        ({"type": ""}, "push.channelTypeNotSupported"),
        ({"token": "x" * 257}, "channelTokenInvalid"),
        ({"token": "two\nlines"}, "channelTokenInvalid"),
        ({"address": ""}, "push.webhookUrlNoHostOrAddress"),
        ({"address": "https://"}, "push.webhookUrlNoHostOrAddress"),
        ({"address": "https://host:port/"}, "push.webhookUrlNoHostOrAddress"),
        ({"address": "ftp://127.0.0.1/"}, "push.webhookUrlNoHostOrAddress"),
        ({"address": "http://example.com/hook"}, "push.webhookUrlNotHttps"),
        ({"expiration": "1765043378"}, "pushInvalidTtl"),
        ({"expiration": "tomorrow"}, "pushInvalidTtl"),
        ({"params": {"ttl": "0"}}, "pushInvalidTtl"),
    ],
)
def test_a_wrong_request_is_refused_in_googles_words(google, receiver, given, why):
    assert refusal(google, channel(receiver, **given)) == (400, why)


def test_a_taken_id_is_refused_for_everybody(ada, google, new_user, sign_in, receiver):
    body = channel(receiver)
    watch(google, body)
    assert refusal(sign_in(new_user()), body) == (400, "channelIdNotUnique")


def test_calendars_that_google_makes_have_no_push(google, receiver):
    answer = refusal(google, channel(receiver), HOLIDAYS)
    assert answer == (400, "pushNotSupportedForRequestedResource")


def test_an_unknown_calendar_is_not_found(google, receiver):
    assert refusal(google, channel(receiver), "nobody@example.com") == (404, "notFound")


def test_a_watch_needs_a_scope(sandbox, ada, sign_in, receiver):
    google = sign_in(ada, ["https://www.googleapis.com/auth/tasks.readonly"])
    assert refusal(google, channel(receiver)) == (403, "insufficientPermissions")


@pytest.mark.parametrize("code", [429, 403, 503])
def test_a_watch_can_be_made_to_fail(sandbox, google, receiver, code):
    sandbox.fault("status", match={"method": "events.watch"}, params={"code": code})
    assert refusal(google, channel(receiver))[0] == code
    assert watch(google, channel(receiver))


@pytest.mark.parametrize(
    ("given", "lifetime"),
    [
        ({}, WEEK),
        ({"params": {"ttl": "3600"}}, timedelta(hours=1)),
        ({"params": {"ttl": "9999999"}}, WEEK),
        ({"expiration": timedelta(days=2)}, timedelta(days=2)),
        ({"expiration": timedelta(days=40)}, WEEK),
        ({"expiration": timedelta(days=2), "params": {"ttl": "60"}}, timedelta(minutes=1)),
    ],
)
def test_the_answer_says_how_long_a_channel_lives(sandbox, google, receiver, given, lifetime):
    now = datetime.fromisoformat(sandbox.clock())
    if "expiration" in given:
        given = given | {"expiration": str(int((now + given["expiration"]).timestamp() * 1000))}
    expires = int(watch(google, channel(receiver, **given))["expiration"]) / 1000
    lived = datetime.fromtimestamp(expires, UTC) - now
    assert abs(lived - lifetime) < timedelta(seconds=30)


def test_a_channel_ends_by_the_clock_of_the_sandbox(sandbox, ada, google, receiver):
    body = channel(receiver, params={"ttl": "3600"})
    watch(google, body)
    sandbox.wait_until_quiet()
    sandbox.clock(3601)
    write(sandbox, ada)
    sandbox.wait_until_quiet()
    assert receiver.states == ["sync"]
    assert sandbox.watches(ada) == []
    google.refresh()
    watch(google, body)  # the id is free again
    assert [found["name"] for found in sandbox.watches(ada)] == [body["id"]]


def test_a_user_that_is_gone_has_no_watches(sandbox, new_user, sign_in, receiver):
    user = new_user()
    watch(sign_in(user), channel(receiver))
    receiver.wait_for(1)
    sandbox.delete_user(user)
    assert sandbox.wait_until_quiet()["waiting"] == 0
