"""Mail to users: each once, when they want it, and nothing lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dying_job import killed
from mail_rows import delivery, make_due, tell

from models import EmailDelivery, User
from pipeline.clients.sending_errors import Refused as RefusedByServer
from pipeline.errors import LeaseLost, Misconfigured, Permanent
from pipeline.platform import email
from pipeline.platform.email import deliveries
from pipeline.platform.email.sending import WAITS
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

Setting = Callable[..., None]
SEND = "pipeline.platform.email:send"


def test_a_notification_arrives_as_html_and_text_with_a_message_id_of_its_own(
    mail_server: Any, user: Row
) -> None:
    sent = tell(user)
    assert email.send(sent) == "sent"
    [mail] = mail_server.taken
    row = delivery(sent)
    assert (mail["To"], mail["Subject"]) == (user["email"], "Hello")
    assert mail["From"] == "Headrace <headrace@ours.example>"
    assert mail["Message-ID"] == row["message_id"] == f"<{sent}@ours.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    html = mail.get_body(("html",)).get_content()
    assert "Something &lt;b&gt;happened&lt;/b&gt;" in html
    assert "<mj-" not in html
    assert "Something <b>happened</b>" in mail.get_body(("plain",)).get_content()
    assert (row["status"], row["server_id"], row["attempts"]) == ("sent", "4ZQ7", 1)


def test_the_same_key_is_sent_once_however_often_and_by_how_many(
    mail_server: Any, user: Row
) -> None:
    ids = {tell(user) for _ in range(3)}
    [sent] = ids
    threads = [threading.Thread(target=email.send, args=(sent,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert email.send(sent) == "not due"
    assert len(mail_server.taken) == 1
    assert tell(user, key="k2") != sent


def test_quiet_hours_put_mail_off_and_do_not_drop_it(mail_server: Any, user: Row) -> None:
    now = datetime.now(UTC)
    wanted = {
        "quiet_start": f"{now - timedelta(hours=1):%H:%M}",
        "quiet_end": f"{now + timedelta(hours=1):%H:%M}",
    }
    email.update_preferences(user["_id"], wanted)
    sent = tell(user)
    assert email.send(sent) == "deferred"
    row = delivery(sent)
    assert (row["status"], row["why"]) == ("pending", "the user's quiet hours")
    assert timedelta(minutes=58) < row["due_at"] - now < timedelta(minutes=61)
    assert email.send(tell(user, key="urgent", urgency="urgent")) == "sent"
    email.update_preferences(user["_id"], {"quiet_start": "00:00", "quiet_end": "00:00"})
    make_due(sent)
    assert email.send(sent) == "sent"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"email": ""}, "address is not known"),
        ({"is_active": False}, "not active"),
        ({"email_preferences": {"enabled": False}}, "wants no mail"),
    ],
)
def test_who_cannot_or_does_not_want_to_get_mail_gets_none(
    mail_server: Any, user: Row, change: Row, why: str
) -> None:
    sent = tell(user)
    collection(User).update_one({"_id": user["_id"]}, {"$set": change})
    assert email.send(sent) == "skipped"
    assert why in delivery(sent)["why"]
    assert mail_server.taken == []


def test_a_user_of_another_tenant_is_none(mail_server: Any, user: Row) -> None:
    sent = tell(user | {"tenant_id": "globex"})
    assert email.send(sent) == "skipped"
    assert mail_server.taken == []


def test_without_an_address_of_ours_mail_waits(
    mail_server: Any, user: Row, setting: Setting
) -> None:
    setting(EMAIL_FROM="")
    sent = tell(user)
    assert email.send(sent) == "deferred"
    assert delivery(sent)["why"] == "EMAIL_FROM is not set"


def test_what_is_not_taken_is_tried_again_with_the_same_message_id_and_words(
    mail_server: Any, user: Row
) -> None:
    mail_server.answers["recipient"] = "451 4.3.0 Later"
    sent = tell(user)
    assert email.send(sent) == "deferred"
    row = delivery(sent)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert "451" in row["why"]
    email.save("acme", "notification", subject="New", body="x", text="x", format="text", by="me")
    mail_server.answers.clear()
    make_due(sent)
    assert email.send(sent) == "sent"
    [mail] = mail_server.taken
    assert (mail["Message-ID"], mail["Subject"]) == (row["message_id"], "Hello")


def test_what_is_never_taken_fails_in_the_end(mail_server: Any, user: Row) -> None:
    mail_server.answers["recipient"] = "451 4.3.0 Later"
    sent = tell(user)
    for _ in WAITS:
        make_due(sent)
        assert email.send(sent) == "deferred"
    make_due(sent)
    with pytest.raises(Permanent, match="not taken in 6 tries"):
        email.send(sent)
    assert delivery(sent)["status"] == "failed"
    mail_server.answers.clear()
    assert email.retry("acme", sent)["status"] == "pending"
    assert email.send(sent) == "sent"


def test_what_is_refused_fails_at_once_and_names_nobody(mail_server: Any, user: Row) -> None:
    mail_server.answers["recipient"] = f"550 5.1.1 {user['email']} unknown"
    sent = tell(user)
    with pytest.raises(RefusedByServer) as refusal:
        email.send(sent)
    assert user["email"] not in str(refusal.value)
    assert delivery(sent)["status"] == "failed"


def test_a_server_that_does_not_want_us_makes_mail_wait(mail_server: Any, user: Row) -> None:
    mail_server.answers["recipient"] = "530 5.7.0 Authentication required"
    sent = tell(user)
    with pytest.raises(Misconfigured):
        email.send(sent)
    assert delivery(sent)["status"] == "pending"


def test_what_may_have_been_taken_is_not_sent_again_until_somebody_says(
    mail_server: Any, user: Row
) -> None:
    mail_server.answers["message"] = "drop"
    sent = tell(user)
    assert email.send(sent) == "unknown"
    mail_server.answers.clear()
    make_due(sent)
    assert email.send(sent) == "not due"
    with pytest.raises(Refused, match="it is unknown"):
        email.retry("acme", sent)
    assert email.settle("acme", sent, sent=True)["status"] == "sent"
    assert len(mail_server.taken) == 1


def test_what_somebody_says_was_not_sent_is_sent(mail_server: Any, user: Row) -> None:
    mail_server.answers["message"] = "drop"
    sent = tell(user)
    email.send(sent)
    mail_server.answers.clear()
    email.settle("acme", sent, sent=False)
    assert email.send(sent) == "sent"


@pytest.mark.parametrize(
    ("point", "when", "status", "taken"),
    [
        ("pipeline.platform.email.deliveries:claim", "after", "pending", 0),
        ("pipeline.platform.email.sending:_write_down", "after", "pending", 0),
        ("pipeline.clients.smtp:_envelope", "after", "unknown", 0),
        ("pipeline.clients.smtp:_message", "after", "unknown", 1),
        ("pipeline.platform.email.sending:_hand_over", "after", "sent", 1),
    ],
)
def test_a_worker_that_dies_anywhere_sends_nothing_twice(
    mail_server: Any, user: Row, point: str, when: str, status: str, taken: int
) -> None:
    sent = tell(user)
    killed(point, when, SEND, sent)
    assert len(mail_server.taken) == taken
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    collection(EmailDelivery).update_one(
        {"_id": sent, "status": "sending"}, {"$set": {"lease_until": long_ago}}
    )
    email.find()
    assert delivery(sent)["status"] == status
    email.send(sent)
    assert len(mail_server.taken) == (1 if status == "pending" else taken)


def test_a_worker_that_was_only_slow_says_what_became_of_it(mail_server: Any, user: Row) -> None:
    sent = tell(user)
    row = deliveries.claim(sent)
    assert row is not None
    now = datetime.now(UTC)
    deliveries.write(row, handed_at=now, lease_until=now - timedelta(seconds=1))
    email.find()
    assert delivery(sent)["status"] == "unknown"
    deliveries.write(row, status="sent")
    assert delivery(sent)["status"] == "sent"
    with pytest.raises(LeaseLost):
        deliveries.write(row, status="failed")


def test_a_tick_queues_what_is_due_and_lost_its_job(mail_server: Any, user: Row) -> None:
    tell(user)
    assert "due" in email.find()
    later = tell(user, key="later")
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    collection(EmailDelivery).update_one({"_id": later}, {"$set": {"due_at": in_an_hour}})
    assert [row["_id"] for row in email.listed("acme")] == [later, tell(user)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"key": ""}, "key"),
        ({"template": "notificatoin"}, "template"),
        ({"urgency": "now"}, "urgency"),
        ({"template": "digest"}, "context"),
    ],
)
def test_what_cannot_be_a_mail_is_refused_by_its_field(
    user: Row, given: dict[str, str], field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        tell(user, **given)
    assert refusal.value.field == field
