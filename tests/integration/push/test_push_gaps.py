"""A subscription that should have spoken and did not is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pushed import CALENDAR, GMAIL, Pushed, jobs, no_jobs, put_event, state_of, subscription

from models import Subscription, SyncState, WebhookDelivery
from pipeline import push
from pipeline.push import gaps
from pipeline.stores import Row, collection

MINUTE = timedelta(minutes=1)


def counted(what: str, source: str = CALENDAR) -> float:
    name = f"headrace_subscription_{what}_total"
    return REGISTRY.get_sample_value(name, {"source": source}) or 0.0


def found(row_id: str = "c1") -> Row:
    row = collection(Subscription).find_one({"_id": row_id})
    assert row is not None
    return row


def tell(row_id: str, at: datetime, number: int = 1) -> None:
    """Have a notification come in at `at`, and its job run."""
    kept = {"subscription_id": row_id, "tenant_id": "t", "source": CALENDAR, "open": True}
    key = {"_id": f"{row_id}:{number}", "number": number, "received_at": at}
    collection(WebhookDelivery).insert_one(key | kept)
    push.act_on(row_id)


def is_due(user_id: str = "u") -> bool:
    state = collection(SyncState).find_one({"user_id": user_id})
    assert state is not None
    return bool(state["next_due_at"] <= datetime.now(UTC))


def test_a_notification_makes_the_user_due_and_notes_who_spoke(stores: None) -> None:
    subscription()
    state_of()
    tell("c1", datetime.now(UTC))
    assert is_due()
    assert jobs("sync") == [("u", CALENDAR)]
    row = found()
    assert (row["events"], row["last_event_number"]) == (1, 1)
    assert "silent_after" not in row
    state = collection(SyncState).find_one({"user_id": "u"})
    assert state is not None
    assert state["pushed_at"] is not None


@pytest.mark.parametrize("status", ["paused", "needs_reauth"])
def test_a_user_who_is_held_is_not_synced(stores: None, status: str) -> None:
    subscription()
    state_of(status=status)
    tell("c1", datetime.now(UTC))
    assert jobs("sync") == []
    assert collection(WebhookDelivery).count_documents({"open": True}) == 0


def test_notifications_that_come_late_or_doubled_count_once(stores: None) -> None:
    subscription()
    state_of()
    now = datetime.now(UTC)
    tell("c1", now - 10 * MINUTE, 5)
    tell("c1", now, 9)
    tell("c1", now - 5 * MINUTE, 7)
    row = found()
    assert (row["events"], row["last_event_number"]) == (2, 9)
    assert row["mean_gap_seconds"] == pytest.approx(600, abs=1)


def test_a_subscription_that_is_gone_leaves_no_work(stores: None) -> None:
    tell("unknown", datetime.now(UTC))
    assert collection(WebhookDelivery).count_documents({"open": True}) == 0
    assert jobs("sync") == []


def every(gap: timedelta, ago: timedelta, count: int = 20) -> None:
    """Let events come at an even rate, the last one `ago`."""
    last = datetime.now(UTC) - ago
    for number in range(count):
        tell("c1", last - (count - 1 - number) * gap, number)
    no_jobs()
    later = datetime.now(UTC) + timedelta(hours=1)
    collection(SyncState).update_many({}, {"$set": {"next_due_at": later}})


def test_silence_after_lively_days_makes_the_user_due_and_is_counted(stores: None) -> None:
    subscription()
    state_of()
    every(4 * MINUTE, ago=29 * MINUTE)
    before = counted("silences")
    assert "1 silent" in push.renew_subscriptions()
    assert is_due()
    assert counted("silences") == before + 1


def test_a_pause_that_is_likely_is_no_silence(stores: None) -> None:
    subscription()
    state_of()
    every(4 * MINUTE, ago=27 * MINUTE)
    assert "0 silent" in push.renew_subscriptions()
    assert not is_due()


def test_each_silence_in_a_row_is_twice_as_long_until_the_poll_looks_anyway(stores: None) -> None:
    subscription()
    state_of()
    every(timedelta(seconds=10), ago=11 * MINUTE)
    waits = []
    for _ in range(5):
        push.renew_subscriptions()
        row = found()
        if "silent_after" not in row:
            break
        waits.append(round((row["silent_after"] - datetime.now(UTC)).total_seconds(), -1))
        collection(Subscription).update_one(
            {"_id": "c1"}, {"$set": {"silent_after": datetime.now(UTC)}}
        )
    assert waits == [1200, 2400]
    tell("c1", datetime.now(UTC), 99)
    assert found()["silent_after"] - datetime.now(UTC) < 17 * MINUTE


def test_a_rare_speaker_is_never_silent(stores: None) -> None:
    subscription()
    state_of()
    every(timedelta(hours=2), ago=timedelta(days=1))
    assert "silent_after" not in found()


def changed_without_a_word(user: Pushed) -> str:
    """Subscribe long ago, sync, change an event, and sync again; return the calendar."""
    user.subscribe()
    user.age(timedelta(days=1))
    user.sync(CALENDAR)
    calendar = next(s for s in user.state()["streams"].values() if s["name"] != "calendars")
    name: str = calendar["name"].removeprefix("events/")
    put_event(user, name, "newevent1")
    assert user.sync(CALENDAR).counts.created == 1
    no_jobs()
    return f"events/{name}"


def test_a_change_that_nobody_told_of_replaces_the_subscription(user: Pushed) -> None:
    stream = changed_without_a_word(user)
    before = counted("gaps")
    assert "0 replaced" in push.renew_subscriptions()  # it may be under way
    user.age(2 * MINUTE)
    assert "1 replaced" in push.renew_subscriptions()
    assert counted("gaps") == before + 1
    assert user.state()["live_push_until"] is None
    assert (user.user_id, CALENDAR) in jobs("subscribe")
    user.subscribe()
    old, new = user.rows(stream=stream)
    assert (old["status"], new["status"], new["gaps"]) == ("stopped", "active", 1)
    assert user.state()["live_push_until"] is not None
    assert len(user.watches()) == 3


def test_a_notification_that_is_only_late_clears_the_doubt(user: Pushed) -> None:
    stream = changed_without_a_word(user)
    [row] = user.rows(stream=stream)
    tell(row["_id"], datetime.now(UTC))
    user.age(2 * MINUTE)
    assert "0 replaced" in push.renew_subscriptions()
    assert "doubted_at" not in user.rows(stream=stream)[0]


def test_a_notification_that_still_waits_for_its_job_clears_it_too(user: Pushed) -> None:
    stream = changed_without_a_word(user)
    [row] = user.rows(stream=stream)
    kept: dict[str, Any] = {"_id": "x", "open": True, "received_at": datetime.now(UTC)}
    kept |= {"subscription_id": row["_id"], "tenant_id": "t", "source": CALENDAR}
    collection(WebhookDelivery).insert_one(kept)
    user.age(2 * MINUTE)
    assert gaps.replace_silenced() == 0


def test_a_change_that_was_told_of_is_no_gap(user: Pushed) -> None:
    user.subscribe()
    user.age(timedelta(days=1))
    user.sync(CALENDAR)
    for row in user.rows():
        tell(row["_id"], datetime.now(UTC))
    put_event(user, user.rows()[-1]["stream"].removeprefix("events/"), "newevent2")
    user.sync(CALENDAR)
    assert not any("doubted_at" in row for row in user.rows())


def test_a_change_before_the_subscription_is_no_gap(user: Pushed) -> None:
    stream = next(s["name"] for s in user.state()["streams"].values() if "/" in s["name"])
    put_event(user, stream.removeprefix("events/"), "newevent3")
    user.subscribe()
    user.sync(CALENDAR)
    assert not any("doubted_at" in row for row in user.rows())


def test_what_a_full_listing_finds_is_no_gap(user: Pushed) -> None:
    user.subscribe()
    user.age(timedelta(days=1))
    user.sync(CALENDAR)
    stream = next(s["name"] for s in user.state()["streams"].values() if "/" in s["name"])
    put_event(user, stream.removeprefix("events/"), "newevent4")
    user.sandbox.expire_cursors(user.user_id, CALENDAR)
    assert user.sync(CALENDAR).counts.created == 1
    assert not any("doubted_at" in row for row in user.rows())


def test_a_mailbox_that_keeps_quiet_is_watched_anew(user: Pushed) -> None:
    user.subscribe(GMAIL)
    user.age(timedelta(hours=1), GMAIL)
    user.sync(GMAIL)
    user.sandbox.mutate(seed=3, changes=40, users=[user.user_id])
    assert user.sync(GMAIL).counts.changed
    user.age(2 * MINUTE, GMAIL)
    push.renew_subscriptions()
    assert user.subscribe(GMAIL) == "1 made"
    [row] = user.rows(GMAIL)
    assert (row["status"], row["gaps"]) == ("active", 1)
