"""What users want, and what they are told once a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_rows import delivery

from models import EmailDelivery, Notification, Record, User
from models.record import record_id
from pipeline.mailbox import notifying
from pipeline.platform import email
from pipeline.platform.email import digests, notifications
from pipeline.platform.email.preferences import next_digest
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def event(user: Row, item_id: str, start: dict[str, str], **item: Any) -> None:
    stream = "events/c1"
    collection(Record).insert_one(
        {
            "_id": record_id(user["_id"], "google_calendar", stream, item_id),
            "user_id": user["_id"],
            "source": "google_calendar",
            "stream": stream,
            "item_id": item_id,
            "item": {"start": start, **item},
            "generation": 1,
            "seq": abs(hash(item_id)) % 10**9,
            "landed_at": NOON,
            "deleted_at": None,
        }
    )


def test_a_digest_has_the_day_of_the_user_and_is_made_once(mail_server: Any, user: Row) -> None:
    mine = {"_id": user["_id"]}
    collection(User).update_one(mine, {"$set": {"preferences.time_zone": "Asia/Tokyo"}})
    event(user, "e2", {"dateTime": "2026-12-01T21:30:00+09:00"}, summary="Dinner", location="Ueno")
    event(user, "e1", {"dateTime": "2026-11-30T23:00:00Z"}, summary="Breakfast <b>")
    event(user, "e3", {"dateTime": "2026-12-01T16:00:00Z"}, summary="Tomorrow there")
    notifying.notify(user["_id"], "pattern_detected", "p1", "A habit", "You file invoices.")
    made = email.make_digest(user["_id"], now=NOON)
    assert made is not None
    context = delivery(made)["context"]
    assert context["day"] == "Tuesday, 1 December"
    assert [(one["at"], one["title"], one["place"]) for one in context["events"]] == [
        ("08:00", "Breakfast", ""),
        ("21:30", "Dinner", "Ueno"),
    ]
    assert [one["title"] for one in context["notifications"]] == ["A habit"]
    assert email.make_digest(user["_id"], now=NOON + timedelta(minutes=5)) == made
    assert email.send(made) == "sent"
    [mail] = mail_server.taken
    assert mail["Subject"] == "Your day: Tuesday, 1 December"
    assert "21:30 Dinner (Ueno)" in mail.get_body(("plain",)).get_content()
    assert "You file invoices." in mail.get_body(("html",)).get_content()


def test_what_is_not_read_is_told_once_however_late_the_next_digest_is(user: Row) -> None:
    notifying.notify(user["_id"], "pattern_detected", "p1", "First", "One")
    now = datetime.now(UTC)
    told = []
    for at in (now, now + timedelta(days=2, hours=3), now + timedelta(days=4)):
        made = email.make_digest(user["_id"], now=at)
        told.append(
            [one["title"] for one in delivery(made)["context"]["notifications"]] if made else None
        )
        key = f"p{at.timestamp()}"
        notifying.notify(user["_id"], "pattern_detected", key, f"After {len(told)}", "More")
    assert told == [["First"], ["After 1"], ["After 2"]]


def test_a_time_zone_that_nobody_knows_keeps_nobody_from_a_digest(
    mail_server: Any, user: Row
) -> None:
    odd = {"preferences.time_zone": "W. Europe Standard Time"}
    collection(User).update_one({"_id": user["_id"]}, {"$set": odd})
    event(user, "e1", {"dateTime": "2026-12-01T15:00:00Z"}, summary="Tea")
    digests.due(NOON, 10)
    assert [row["_id"] for row in digests.due(NOON + timedelta(days=1), 10)] == [user["_id"]]
    made = email.make_digest(user["_id"], now=NOON)
    assert made is not None
    assert email.send(made) == "sent"


def test_there_is_no_digest_of_nothing_or_for_who_wants_none(user: Row) -> None:
    assert email.make_digest(user["_id"], now=NOON) is None
    event(user, "e1", {"dateTime": "2026-12-01T15:00:00Z"}, summary="Tea")
    email.update_preferences(user["_id"], {"digest": False})
    assert email.make_digest(user["_id"], now=NOON) is None
    assert collection(EmailDelivery).count_documents({}) == 0
    email.update_preferences(user["_id"], {"digest": True})
    assert email.make_digest(user["_id"], now=NOON) is not None


def test_what_was_read_or_comes_at_once_is_not_in_it(user: Row) -> None:
    notifying.notify(user["_id"], "system", "s1", "At once", "now")
    notifying.notify(user["_id"], "rule_executed", "r1", "Read", "seen")
    notifying.mark_read(user["_id"])
    notifying.notify(user["_id"], "system", "s2", "At once too", "now")
    email.update_preferences(user["_id"], {"modes": {"system": "instant"}})
    assert email.make_digest(user["_id"], now=datetime.now(UTC)) is None


def test_a_notification_is_mailed_once_to_who_wants_it_at_once(mail_server: Any, user: Row) -> None:
    email.update_preferences(user["_id"], {"modes": {"staging_alert": "instant"}})
    for key in ("s1", "s1", "s2"):
        notifying.notify(user["_id"], "staging_alert", key, f"Alert {key}", "Look", priority="high")
    notifying.notify(user["_id"], "system", "other", "For the digest", "Later")
    rows = list(collection(Notification).find({"user_id": user["_id"]}).sort("_id", 1))
    told = [email.mail_notification(str(row["_id"])) for row in rows]
    assert told == ["queued", "queued", "left to the digest"]
    assert email.mail_notification(str(rows[0]["_id"])) == "decided before"
    for row in email.listed("acme"):
        email.send(row["_id"])
    assert sorted(mail["Subject"] for mail in mail_server.taken) == ["Alert s1", "Alert s2"]
    assert notifications.due(datetime.now(UTC), 10) == []


def test_ticks_plan_digests_and_find_those_that_are_due(user: Row) -> None:
    assert digests.due(NOON, 10) == []
    planned = collection(User).find_one({"_id": user["_id"]}) or {}
    assert planned["digest_due_at"] == datetime(2026, 12, 2, 8, tzinfo=UTC)
    later = planned["digest_due_at"] + timedelta(minutes=1)
    assert [row["_id"] for row in digests.due(later, 10)] == [user["_id"]]
    email.make_digest(user["_id"], now=later)
    assert digests.due(later, 10) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"digest_hour": 24}, "digest_hour"),
        ({"digest_hour": True}, "digest_hour"),
        ({"quiet_start": "25:00"}, "quiet_start"),
        ({"default_mode": "sometimes"}, "default_mode"),
        ({"modes": {"nothing": "off"}}, "modes"),
        ({"modes": []}, "modes"),
        ({"nothing": 1}, "nothing"),
    ],
)
def test_preferences_that_make_no_sense_are_refused(user: Row, changes: Row, field: str) -> None:
    before = email.preferences_of(user)
    with pytest.raises(Refused) as refusal:
        email.update_preferences(user["_id"], changes)
    assert refusal.value.field.startswith(field)
    assert email.preferences_of(collection(User).find_one({"_id": user["_id"]}) or {}) == before


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_the_next_digest_is_within_a_day_at_its_hour_whatever_the_clock_does(
    moment: datetime, hour: int, zone: str
) -> None:
    after = moment.replace(tzinfo=UTC)
    user = {
        "_id": "ada",
        "preferences": {"time_zone": zone},
        "email_preferences": {"digest_hour": hour},
    }
    due = next_digest(user, after)
    assert timedelta(0) < due - after <= timedelta(hours=26)
    shown = due.astimezone(ZoneInfo(zone))
    assert shown.hour in (hour, hour + 1)  # a clock that skips the hour shows the next one
