"""The Subscriptions page: what is pushed, why the rest is not, renew and stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from browsers import signed_in

from models import Subscription, SyncState
from pipeline.jobs.reading import depth
from pipeline.push.plan import OVER
from pipeline.push.reading import Place, Wanted, listed
from pipeline.stores import Row, collection
from pipeline.sync import states

PATH = "/admin/subscriptions"
HX = {"HX-Request": "true"}
Setting = Callable[..., None]


def subscription(name: str, **fields: Any) -> Row:
    """Store a subscription of the user ada, active unless said otherwise."""
    now = datetime.now(UTC)
    row: Row = {
        "_id": name,
        "user_id": "ada",
        "tenant_id": "default",
        "provider": "google",
        "source": "google_calendar",
        "stream": "events/ada@example.com",
        "status": "active",
        "target": "https://headrace.example/webhooks/google/calendar",
        "token_hash": b"secret-hash",
        "expires_at": now + timedelta(days=5),
        "created_at": now,
        "retry_at": now + timedelta(days=4),
        "events": 1234,
        "gaps": 0,
        "error_count": 0,
    } | fields
    collection(Subscription).insert_one(row)
    return row


@pytest.fixture
def reachable(stores: None, setting: Setting) -> None:
    """Both sources can be pushed, as far as settings go."""
    setting(
        PUBLIC_BASE_URL="https://headrace.example",
        GOOGLE_PUBSUB_TOPIC="projects/p/topics/t",
        GOOGLE_PUBSUB_SERVICE_ACCOUNT="push@headrace.example",
    )


def stored(name: str) -> Row:
    row = collection(Subscription).find_one({"_id": name})
    assert row is not None
    return row


def test_without_settings_it_says_which_are_missing(stores: None, setting: Setting) -> None:
    setting(PUBLIC_BASE_URL="", GOOGLE_PUBSUB_TOPIC="")
    page = signed_in("viewer").get(PATH).text
    assert "PUBLIC_BASE_URL is not set" in page
    assert "GOOGLE_PUBSUB_TOPIC is not set" in page
    assert "Nothing is pushed" in page


def test_with_settings_and_nobody_connected_it_says_what_to_wait_for(reachable: None) -> None:
    page = signed_in("viewer").get(PATH).text
    assert "Nobody is subscribed yet" in page
    assert "is not pushed" not in page


def test_a_row_tells_how_it_goes_and_no_address(reachable: None) -> None:
    subscription("a", gaps=3)
    error = {"class": "Gone", "message": "gmail.users.watch was answered 404 (notFound)"}
    subscription("b", status="failed", last_error=error, expires_at=None, error_count=2)
    subscription("c", status="stopped", held_by="ann", stream="calendars")
    page = signed_in("viewer").get(PATH).text
    for told in ("1,234", "a…@…", "answered 404", "2 times", "stopped by ann", ">3<"):
        assert told in page
    assert "ada@example.com" not in page
    assert "Renew now" not in page  # not a viewer's


def test_status_source_and_user_are_in_the_address(reachable: None) -> None:
    subscription("a", user_id="user-one")
    subscription("b", user_id="user-two", status="failed", expires_at=None)
    subscription("c", user_id="user-three", source="google_gmail", stream="messages")
    client = signed_in("viewer")
    asked = {
        "": {"user-one", "user-two", "user-three"},
        "?status=failed": {"user-two"},
        "?source=google_gmail": {"user-three"},
        "?q=user-one": {"user-one"},
        "?user=user-two": {"user-two"},
        "?status=failed&source=google_gmail": set(),
    }
    for query, users in asked.items():
        page = client.get(PATH + query).text
        assert {u for u in ("user-one", "user-two", "user-three") if f">{u}<" in page} == users
    assert "No subscription is like that" in client.get(f"{PATH}?q=nobody").text
    for wrong in ("?status=lost", "?source=google_tasks", "?after=x", "?after=1-", "?after=9-9-9"):
        assert client.get(PATH + wrong).status_code in (200, 404)


def test_every_page_of_the_list_follows_the_one_before(reachable: None) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(30):
        ends = None if number < 7 else now + timedelta(days=number % 4)
        subscription(
            f"n{number:02}", expires_at=ends, status="failed" if ends is None else "active"
        )
    found: list[str] = []
    after = None
    while rows := listed(Wanted(), 4, after):
        found += [row["_id"] for row in rows]
        after = Place.parsed(str(Place.of(rows[-1])))
    assert len(found) == len(set(found)) == 30


def test_renewing_by_hand_makes_it_due_and_sends_the_job(reachable: None) -> None:
    subscription("a")
    answer = signed_in("operator").post(f"{PATH}/a/renew", headers=HX)
    assert answer.status_code == 204
    assert stored("a")["retry_at"] <= datetime.now(UTC)
    assert depth("webhook-renewal").waiting == 1


def test_stopping_by_hand_holds_it_until_somebody_renews_it(reachable: None) -> None:
    states.ensure("ada", "google_calendar", datetime.now(UTC))
    subscription("a", stream="calendars")
    client = signed_in("operator", "ann")
    assert client.post(f"{PATH}/a/stop", headers=HX).status_code == 204
    row = stored("a")
    assert (row["status"], row["held_by"]) == ("stopping", "ann")
    state = collection(SyncState).find_one({"user_id": "ada"})
    assert state is not None
    assert state["live_push_until"] is None
    assert client.post(f"{PATH}/a/renew", headers=HX).status_code == 204
    assert "held_by" not in stored("a")


@pytest.mark.parametrize("status", OVER)
def test_what_is_over_can_be_neither_renewed_nor_stopped(reachable: None, status: str) -> None:
    subscription("a", status=status)
    client = signed_in("operator")
    for act in ("renew", "stop"):
        assert client.post(f"{PATH}/a/{act}", headers=HX).status_code == 400
        assert client.post(f"{PATH}/unknown/{act}", headers=HX).status_code == 404
        assert signed_in("viewer").post(f"{PATH}/a/{act}", headers=HX).status_code == 403
