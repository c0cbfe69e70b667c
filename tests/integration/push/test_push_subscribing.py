"""One (user, source) gets the subscriptions that it should have, whatever happens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pushed import CALENDAR, GMAIL, NOWHERE, Pushed, connected, jobs

from models import Subscription, SyncState
from pipeline import push
from pipeline.errors import Permanent, RateLimited, Transient
from pipeline.push import rows
from pipeline.push.registration import Registration
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

WEEK = timedelta(days=7)


def test_every_calendar_and_their_list_are_watched(user: Pushed) -> None:
    assert user.subscribe() == "3 made"
    streams = {row["stream"] for row in user.rows(status="active")}
    assert streams == {stream["name"] for stream in user.state()["streams"].values()}
    assert "calendars" in streams
    assert {watch["stream"] for watch in user.watches()} == streams


def test_all_that_is_watched_makes_the_push_live(user: Pushed) -> None:
    user.subscribe()
    ends = [row["expires_at"] for row in user.rows()]
    state = user.state()
    assert state["live_push_until"] == min(ends)
    assert abs(min(ends) - datetime.now(UTC) - WEEK) < timedelta(minutes=5)
    assert state["push"]["due_at"] < min(ends) - timedelta(days=1)


def test_what_is_watched_for_the_first_time_is_synced_once_more(user: Pushed) -> None:
    before = user.state()["requested_at"]
    user.subscribe()
    requested = user.state()["requested_at"]
    assert requested > before
    user.subscribe()
    assert user.state()["requested_at"] == requested


def test_a_mailbox_is_watched_by_one_watch(user: Pushed) -> None:
    assert user.subscribe(GMAIL) == "1 made"
    [row] = user.rows(GMAIL)
    assert row["stream"] == "messages"
    address = user.sandbox.users()[0].email
    assert address not in str(row)
    assert user.state(GMAIL)["live_push_until"] == row["expires_at"]


def test_a_second_look_changes_nothing(user: Pushed) -> None:
    user.subscribe()
    before = user.rows()
    assert user.subscribe() == "nothing to do"
    assert user.rows() == before


def test_jobs_at_the_same_time_make_one_channel_for_each_stream(user: Pushed) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: user.subscribe(), range(6)))
    assert user.statuses() == ["active"] * 3
    assert len(user.watches()) == 3


@pytest.mark.parametrize("late_by", [timedelta(days=6, hours=2), timedelta(days=6, hours=23)])
def test_a_channel_is_replaced_before_it_ends_and_then_stopped(
    user: Pushed, late_by: timedelta
) -> None:
    user.subscribe()
    before = {row["_id"] for row in user.rows()}
    user.age(late_by)
    since = {row["stream"]: row["live_since"] for row in user.rows()}
    assert user.subscribe() == "3 renewed, 3 stopped"
    assert user.statuses() == ["active"] * 3 + ["stopped"] * 3
    active = user.rows(status="active")
    assert before.isdisjoint(row["_id"] for row in active)
    assert {row["stream"]: row["live_since"] for row in active} == since
    assert {watch["name"] for watch in user.watches()} == {row["_id"] for row in active}


def test_a_channel_that_has_ended_is_made_anew_and_a_sync_covers_the_time_between(
    user: Pushed,
) -> None:
    user.subscribe()
    user.age(WEEK + timedelta(hours=1))
    before = user.state()["requested_at"]
    assert user.subscribe() == "3 made"
    assert user.statuses() == ["active"] * 3 + ["expired"] * 3
    assert user.state()["requested_at"] > before


def test_a_mailbox_is_watched_anew_every_day_in_its_own_row(user: Pushed) -> None:
    user.subscribe(GMAIL)
    [before] = user.rows(GMAIL)
    user.age(timedelta(days=1), GMAIL)
    assert user.subscribe(GMAIL) == "1 renewed"
    [row] = user.rows(GMAIL)
    assert row["_id"] == before["_id"]
    assert row["expires_at"] >= before["expires_at"]
    assert row["retry_at"] - datetime.now(UTC) <= timedelta(days=1)


def test_the_margin_is_never_more_than_half_of_what_the_provider_grants(
    user: Pushed, setting: Any
) -> None:
    setting(SUBSCRIPTION_RENEWAL_MARGIN_SECONDS=30 * 86_400)
    user.subscribe()
    for row in user.rows():
        left = row["retry_at"] - datetime.now(UTC)
        assert timedelta(days=3) < left < timedelta(days=3, hours=13)


def test_a_calendar_that_is_gone_is_watched_no_more(user: Pushed) -> None:
    user.subscribe()
    calendars = [row["stream"] for row in user.rows() if row["stream"] != "calendars"]
    user.sandbox.remove(user.user_id, CALENDAR, "calendars", calendars[0].removeprefix("events/"))
    user.sync(CALENDAR)
    assert (user.user_id, CALENDAR) in jobs("subscribe")
    user.subscribe()
    [gone] = user.rows(stream=calendars[0])
    assert gone["status"] == "stopped"
    assert len(user.rows(status="active")) == 2


def test_a_calendar_that_cannot_be_pushed_is_left_to_polling_for_a_week(user: Pushed) -> None:
    holidays = "en.german#holiday@group.v.calendar.google.com"
    entry = {"id": holidays, "summary": "Holidays", "accessRole": "reader"}
    user.sandbox.put(user.user_id, CALENDAR, "calendars", holidays, entry)
    user.sync(CALENDAR)
    assert user.subscribe() == "3 made, 1 refused"
    [row] = user.rows(status="unsupported")
    assert row["last_error"]["class"] == "NotPushed"
    assert row["retry_at"] - datetime.now(UTC) > timedelta(days=6)
    assert user.state()["live_push_until"] is not None
    assert user.subscribe() == "nothing to do"


def test_what_is_refused_is_tried_again_later_and_later(user: Pushed) -> None:
    user.sandbox.clear_topics()
    waits = []
    for _ in range(4):
        assert user.subscribe(GMAIL) == "1 refused"
        [row] = user.rows(GMAIL)
        waits.append((row["retry_at"] - datetime.now(UTC)).total_seconds())
        assert user.subscribe(GMAIL) == "nothing to do"
        user.change(GMAIL, retry_at=datetime.now(UTC))
    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]
    assert row["status"] == "failed"
    assert "404" in row["last_error"]["message"]
    assert user.state(GMAIL)["live_push_until"] is None


def test_a_provider_that_fails_is_asked_again_and_the_job_says_so(user: Pushed) -> None:
    user.sandbox.fault("status", match={"method": "events.watch"}, times=None, params={"code": 503})
    with pytest.raises(Transient):
        user.subscribe()
    assert user.statuses() == ["active", "failed", "failed"]
    assert user.state()["live_push_until"] is None
    user.sandbox.clear_faults()
    user.change(retry_at=datetime.now(UTC))
    user.subscribe()
    assert len(user.rows(status="active")) == 3
    assert user.state()["live_push_until"] is not None


def test_out_of_quota_nothing_counts_as_failed(user: Pushed) -> None:
    user.sandbox.fault(
        "status",
        match={"method": "events.watch"},
        times=None,
        params={"code": 429, "reason": "rateLimitExceeded", "retry_after": 60},
    )
    with pytest.raises(RateLimited):
        user.subscribe()
    assert user.statuses() == ["active"]


def test_killed_while_the_provider_is_asked_another_job_takes_over(user: Pushed) -> None:
    kind = push.KINDS[CALENDAR]
    orphan = rows.open_row(kind, user.state(), "calendars", None, datetime.now(UTC))
    assert orphan is not None
    assert user.subscribe() == "2 made"  # somebody may still be asking for the third
    assert user.state()["live_push_until"] is None
    user.change(retry_at=datetime.now(UTC))
    user.subscribe()
    by_id = {row["_id"]: row for row in user.rows(stream="calendars")}
    assert by_id.pop(orphan[0]["_id"])["status"] == "stopped"
    assert [row["status"] for row in by_id.values()] == ["active"]


def test_an_answer_that_comes_after_its_row_was_given_up_leads_to_a_stop(user: Pushed) -> None:
    kind = push.KINDS[CALENDAR]
    opened = rows.open_row(kind, user.state(), "calendars", None, datetime.now(UTC))
    assert opened is not None
    rows.end(dict(opened[0]), datetime.now(UTC))
    registration = Registration(datetime.now(UTC) + WEEK, resource_id="r")
    assert not rows.activate(kind, opened[0], registration, datetime.now(UTC))
    [row] = user.rows(stream="calendars")
    assert (row["status"], row["resource_id"]) == ("stopped", "r")


def test_the_secret_is_given_to_the_provider_alone(user: Pushed) -> None:
    user.subscribe()
    for row in user.rows():
        assert len(row["token_hash"]) == 32
        assert "token" not in row


def test_a_new_address_moves_every_subscription(user: Pushed, setting: Any) -> None:
    user.subscribe()
    user.subscribe(GMAIL)
    setting(PUBLIC_BASE_URL="http://localhost:9")
    assert "1 looked at" in push.renew_subscriptions()
    user.subscribe()
    targets = {row["target"] for row in user.rows(status="active")}
    assert targets == {"http://localhost:9/webhooks/google/calendar"}
    assert len(user.watches()) == 4


def test_another_topic_takes_the_place_of_the_first(
    user: Pushed, setting: Any, sandbox: SandboxClient
) -> None:
    user.subscribe(GMAIL)
    other = "projects/headrace-sandbox/topics/other"
    sandbox.topic(other, f"{NOWHERE}/webhooks/google/gmail")
    setting(GOOGLE_PUBSUB_TOPIC=other)
    user.subscribe(GMAIL)
    [row] = user.rows(GMAIL)
    assert (row["status"], row["target"]) == ("active", other)
    assert [watch["name"] for watch in user.watches()] == [other]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"PUBLIC_BASE_URL": ""}, "PUBLIC_BASE_URL is not set"),
        ({"PUBLIC_BASE_URL": "http://headrace.example"}, "not https"),
    ],
)
def test_without_an_address_nothing_is_subscribed_and_what_was_is_stopped(
    user: Pushed, setting: Any, settings: dict[str, str], why: str
) -> None:
    user.subscribe()
    setting(**settings)
    user.subscribe()
    assert user.statuses() == ["stopped"] * 3
    assert not user.watches()
    assert why in user.state()["push"]["why_not"]
    assert user.state()["live_push_until"] is None


@pytest.mark.parametrize("name", ["GOOGLE_PUBSUB_TOPIC", "GOOGLE_PUBSUB_SERVICE_ACCOUNT"])
def test_gmail_says_which_setting_it_lacks(user: Pushed, setting: Any, name: str) -> None:
    setting(**{name: ""})
    assert name in user.subscribe(GMAIL)
    assert not user.rows(GMAIL)


def test_a_source_without_push_is_refused(stores: None) -> None:
    with pytest.raises(Permanent, match="cannot be pushed"):
        push.subscribe("ada", "google_tasks")


def test_who_must_connect_again_is_left_alone(user: Pushed, sandbox: SandboxClient) -> None:
    sandbox.tokens(user.user_id, "revoke")
    assert "token" in user.subscribe() or "connect" in user.subscribe()
    assert "active" not in user.statuses()
    assert user.state()["push"]["due_at"] > datetime.now(UTC) + timedelta(minutes=30)


def test_a_disconnect_stops_everything_and_twice_is_no_more(user: Pushed) -> None:
    user.subscribe()
    user.subscribe(GMAIL)
    key = {"user_id": user.user_id}
    collection(SyncState).update_many(key, {"$set": {"status": "paused"}})
    assert push.stop_all(user.user_id, "google") == 0
    assert not user.watches()
    assert user.statuses() + user.statuses(GMAIL) == ["stopped"] * 4
    assert user.state()["live_push_until"] is None
    stops = user.calls("channels.stop")
    assert push.stop_all(user.user_id, "google") == 0
    assert user.calls("channels.stop") == stops


def test_a_channel_that_is_not_there_any_more_counts_as_stopped(user: Pushed) -> None:
    user.subscribe()
    user.change(resource_id="another")
    push.stop_all(user.user_id, "google")
    assert user.statuses() == ["stopped"] * 3


def test_a_mailbox_of_two_users_stays_watched_until_the_last_one_leaves(
    user: Pushed, sandbox: SandboxClient
) -> None:
    from pipeline.connect import connect_google

    connect_google("bob", sandbox.authorized_user(user.user_id))
    other = Pushed("bob", sandbox)
    other.sync(GMAIL)
    user.subscribe(GMAIL)
    other.subscribe(GMAIL)
    push.stop_all(user.user_id, "google")
    assert len(user.watches()) == 1
    push.stop_all("bob", "google")
    assert not user.watches()


def test_a_user_who_is_forgotten_leaves_nothing_to_do(user: Pushed) -> None:
    user.subscribe()
    collection(SyncState).delete_many({})
    assert user.subscribe() == "the user does not have this source"
    assert user.statuses() == ["stopped"] * 3


def test_what_was_stopped_by_hand_stays_so(user: Pushed) -> None:
    user.subscribe()
    [row] = user.rows(stream="calendars")
    collection(Subscription).update_one({"_id": row["_id"]}, {"$set": {"held_by": "ann"}})
    user.subscribe()
    user.subscribe()
    assert [row["status"] for row in user.rows(stream="calendars")] == ["stopped"]
    assert user.state()["live_push_until"] is None


def test_a_composio_connection_is_not_pushed(sandbox: SandboxClient, configured: None) -> None:
    from pipeline.connect import connect_composio

    connect_composio("eve", {"googlecalendar": "ca_1"})
    assert "Composio" in push.subscribe("eve", CALENDAR)
    state = collection(SyncState).find_one({"user_id": "eve", "source": CALENDAR})
    assert state is not None
    assert "Composio" in state["push"]["why_not"]
    assert state["push"]["due_at"] > datetime.now(UTC) + timedelta(hours=20)


def test_a_user_who_connects_twice_is_the_same_user(user: Pushed, sandbox: SandboxClient) -> None:
    user.subscribe()
    again = connected(sandbox, "bea")
    again.sync(CALENDAR)
    again.subscribe()
    assert len(user.watches()) == 3
    assert len(again.watches()) == 3
