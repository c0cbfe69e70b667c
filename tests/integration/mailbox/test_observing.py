"""The observer: what lands becomes events once, whatever dies or is repeated."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from landed_mail import SOURCE, LandedMail
from mail_items import ARCHIVE, DELETED, DRAFTS, INBOX, JUNK, PROJECTS, SENT, mail_item

from models import EmailEvent, Execution, Mailbox, Rule, SeenMail, SyncState, TenantPolicy, User
from pipeline.errors import Gone, LeaseLost
from pipeline.mailbox import observing, watermark
from pipeline.mailbox.observing import lagging, observe
from pipeline.mailbox.watermark import Lag
from pipeline.projections.lease import Lease, held
from pipeline.stores import collection, mongodb

NOW = datetime.now(UTC)


@pytest.fixture
def mail(stores: None, setting: Any) -> LandedMail:
    setting(EMAIL_EVENT_RETENTION_DAYS=3650, MICROSOFT_MAIL_WINDOW_DAYS=3650)
    return LandedMail()


def add_rule(mail: LandedMail, **fields: Any) -> str:
    row = {
        "user_id": mail.user_id,
        "mailbox_id": mail.mailbox_id,
        "tenant_id": "acme",
        "scope": "user",
        "is_enabled": True,
        "priority": 0,
        "conditions": {"sender_domain": "shop.example"},
        "actions": [{"action_type": "delete", "order": 0}],
    } | fields
    return str(collection(Rule).insert_one(row).inserted_id)


def executions() -> list[dict[str, Any]]:
    return list(collection(Execution).find().sort("_id"))


def test_the_life_of_a_mail(mail: LandedMail) -> None:
    mail.land(mail_item(headers={"List-Unsubscribe": "<mailto:x>"}))
    found = observe("ada", mail.mailbox_id)
    assert found.events == {"arrived": 1}
    [arrived] = mail.events()
    assert arrived["sender"] == {
        "name": "Bob",
        "email": "bob@shop.example",
        "domain": "shop.example",
    }
    assert arrived["subject_normalized"] == "your invoice <number>"
    assert arrived["metadata"]["is_newsletter"] is True
    assert "bodyPreview" not in arrived
    assert "preview" not in arrived
    assert arrived["timestamp"] == datetime(2026, 3, 2, 8, tzinfo=UTC)

    mail.change(isRead=True, flag={"flagStatus": "flagged"}, categories=["Red"])
    observe("ada", mail.mailbox_id)
    mail.change(isRead=True, parentFolderId=PROJECTS)
    observe("ada", mail.mailbox_id)
    mail.change(isRead=False, parentFolderId=ARCHIVE)
    observe("ada", mail.mailbox_id)
    assert [kind for _, kind in mail.told()] == [
        "arrived", "read", "flagged", "categorized", "moved", "categorized", "moved",
    ]  # fmt: skip
    moves = [(row["from_folder"], row["to_folder"]) for row in mail.events("moved")]
    assert moves == [(INBOX, PROJECTS), (PROJECTS, ARCHIVE)]
    [read] = mail.events("read")
    assert read["time_to_action"] == 600
    [arrived] = mail.events("arrived")
    assert (arrived["is_read"], arrived["is_deleted"]) == (False, False)

    mail.change(parentFolderId=DELETED)
    observe("ada", mail.mailbox_id)
    assert mail.events("arrived")[0]["is_deleted"] is True
    mail.change()  # taken out again
    observe("ada", mail.mailbox_id)
    assert mail.events("arrived")[0]["is_deleted"] is False
    mail.change(parentFolderId=DELETED)
    observe("ada", mail.mailbox_id)
    mail.gone("m1")  # emptied: no second deletion
    observe("ada", mail.mailbox_id)
    assert len(mail.events("deleted")) == 2
    assert len(mail.events("arrived")) == 1
    assert collection(SeenMail).count_documents({}) == 0
    for row in mail.events():
        EmailEvent(**{name: value for name, value in row.items() if name != "_id"}).validate()

    mail.change()  # restored: it arrives no second time, and meets no rule
    add_rule(mail)
    assert observe("ada", mail.mailbox_id).planned == 0
    assert len(mail.events("arrived")) == 1
    assert mail.events("arrived")[0]["is_deleted"] is False


def test_what_is_gone_for_good_was_deleted_and_keeps_its_sender(mail: LandedMail) -> None:
    mail.land(mail_item("m1"), mail_item("m2"))
    observe("ada", mail.mailbox_id)
    mail.gone("m1", "never-seen")
    observe("ada", mail.mailbox_id)
    [deleted] = mail.events("deleted")
    assert deleted["message_id"] == "m1"
    assert deleted["sender"]["email"] == "bob@shop.example"
    assert deleted["from_folder"] == INBOX


def test_the_first_listing_gives_arrivals_and_the_state_as_found(
    mail: LandedMail, setting: Any
) -> None:
    setting(EMAIL_EVENT_RETENTION_DAYS=90)
    received = (NOW - timedelta(days=20)).isoformat()
    ancient = (NOW - timedelta(days=200)).isoformat()
    collection(Mailbox).update_one({}, {"$set": {"watched_from": NOW - timedelta(days=1)}})
    add_rule(mail)
    mail.land(
        mail_item("read", receivedDateTime=received, isRead=True, parentFolderId=ARCHIVE),
        mail_item("trash", receivedDateTime=received, parentFolderId=DELETED),
        mail_item("old", receivedDateTime=ancient),
        mail_item("draft", receivedDateTime=received, parentFolderId=DRAFTS, isDraft=True),
        mail_item("sent", receivedDateTime=received, parentFolderId=SENT),
    )
    assert observe("ada", mail.mailbox_id).planned == 0
    assert sorted(mail.told()) == [("read", "arrived"), ("trash", "arrived")]
    assert all(row["metadata"]["found_at_start"] for row in mail.events())
    assert collection(SeenMail).count_documents({}) == 5
    [longer] = [row for row in mail.events() if row["message_id"] == "read"]
    assert longer["expires_at"] - longer["timestamp"] == timedelta(days=90)


def test_a_new_mail_meets_one_rule_once(mail: LandedMail) -> None:
    collection(Mailbox).update_one({}, {"$set": {"settings.whitelisted_domains": ["bank.example"]}})
    collection(TenantPolicy).insert_one({"_id": "acme", "whitelisted_senders": ["b@x.example"]})
    add_rule(mail, priority=5)
    first = add_rule(mail, priority=1, conditions={"subject_contains": "INVOICE"})
    add_rule(mail, priority=0, is_enabled=False)
    org = add_rule(
        mail,
        scope="org",
        user_id=None,
        mailbox_id=None,
        conditions={"sender_domain": "org.example"},
    )
    mail.land(
        mail_item("m1"),
        mail_item("m2", sender="x@org.example", subject="Hi"),
        mail_item("whitelisted", sender="x@bank.example"),
        mail_item("tenant-whitelisted", sender="b@x.example"),
        mail_item("junk", parentFolderId=JUNK),
        mail_item("before", receivedDateTime="2026-02-28T08:00:00Z"),
        mail_item("none", sender="y@else.example", subject="Hi"),
    )
    assert observe("ada", mail.mailbox_id).planned == 2
    assert {(row["message_id"], row["rule_id"]) for row in executions()} == {
        ("m1", first),
        ("m2", org),
    }
    assert all(row["due_at"] <= datetime.now(UTC) for row in executions())
    mail.land(mail_item("m1", subject="Invoice, changed"))
    assert observe("ada", mail.mailbox_id).planned == 0


@pytest.mark.parametrize(
    "pause",
    [
        (User, {"preferences.automation_paused": True}),
        (Mailbox, {"settings.automation_paused": True}),
    ],
)
def test_while_paused_it_learns_and_does_nothing(
    mail: LandedMail, pause: tuple[Any, dict[str, Any]]
) -> None:
    collection(pause[0]).update_one({}, {"$set": pause[1]})
    add_rule(mail)
    mail.land(mail_item())
    assert observe("ada", mail.mailbox_id).planned == 0
    assert mail.told() == [("m1", "arrived")]


def test_what_a_rule_did_is_marked_and_what_its_user_did_is_not(mail: LandedMail) -> None:
    rule_id = add_rule(mail)
    mail.land(mail_item())
    observe("ada", mail.mailbox_id)
    step = {"steps.0.state": "doing", "steps.0.after": {"folder_id": DELETED}}
    collection(Execution).update_one({}, {"$set": step})
    mail.change(parentFolderId=DELETED)
    observe("ada", mail.mailbox_id)
    [deleted] = mail.events("deleted")
    assert deleted["metadata"]["automated_by_rule"] == rule_id
    assert executions()[0]["steps"][0]["observed"] is True
    mail.change()
    observe("ada", mail.mailbox_id)
    mail.change(parentFolderId=DELETED)
    observe("ada", mail.mailbox_id)
    [_, again] = mail.events("deleted")
    assert "automated_by_rule" not in again["metadata"]


def test_what_a_rule_deleted_and_is_gone_before_it_is_seen_is_no_habit(mail: LandedMail) -> None:
    add_rule(mail, skip_staging=True)
    mail.land(mail_item("by-rule"), mail_item("filed"))
    observe("ada", mail.mailbox_id)
    for message_id, folder_id in (("by-rule", DELETED), ("filed", ARCHIVE)):
        done = {"steps.0.state": "done", "steps.0.after": {"folder_id": folder_id}}
        collection(Execution).update_one({"message_id": message_id}, {"$set": done})
    mail.gone("by-rule", "filed")
    observe("ada", mail.mailbox_id)
    rules = {row["message_id"]: row["metadata"] for row in mail.events("deleted")}
    assert rules["by-rule"]["automated_by_rule"] == executions()[0]["rule_id"]
    assert "automated_by_rule" not in rules["filed"]  # its user has deleted it from where it was
    steps = {row["message_id"]: row["steps"][0] for row in executions()}
    assert steps["by-rule"]["observed"] is True


def test_mail_that_has_become_too_old_to_be_kept_was_not_deleted(
    mail: LandedMail, setting: Any
) -> None:
    setting(MICROSOFT_MAIL_WINDOW_DAYS=30)
    recent = (NOW - timedelta(days=29)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = (NOW - timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%SZ")
    mail.land(mail_item("recent", receivedDateTime=recent), mail_item("old", receivedDateTime=old))
    observe("ada", mail.mailbox_id)
    mail.gone("recent", "old")  # as a new listing does, which begins later
    observe("ada", mail.mailbox_id)
    assert [row["message_id"] for row in mail.events("deleted")] == ["recent"]
    arrived = {row["message_id"]: row["is_deleted"] for row in mail.events("arrived")}
    assert arrived == {"recent": True, "old": False}
    assert collection(SeenMail).count_documents({}) == 0


def test_an_observer_that_dies_anywhere_loses_and_doubles_nothing(
    mail: LandedMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "BATCH", 3)
    add_rule(mail)
    mail.land(*(mail_item(f"m{number}") for number in range(10)))
    for label in ("_insertion", "_seen", "_marks"):
        with monkeypatch.context() as broken:
            broken.setattr(observing, label, _dies)
            with pytest.raises(RuntimeError):
                observe("ada", mail.mailbox_id)
    state = collection(SyncState).find_one({})
    assert state is not None
    assert state["projections"]["mailbox"]["failures"] >= 1
    assert state["projections"]["mailbox"]["error"]["message"] == ""
    observe("ada", mail.mailbox_id)
    assert len(mail.events("arrived")) == 10
    assert len(executions()) == 10
    # Replayed from the start, as after a message that came twice.
    collection(SyncState).update_one({}, {"$set": {"projections.mailbox.seq": 0}})
    observe("ada", mail.mailbox_id)
    assert len(mail.events()) == 10
    assert len(executions()) == 10
    state = collection(SyncState).find_one({})
    assert state is not None
    assert state["projections"]["mailbox"]["seq"] == mail.seq
    assert "due_at" not in state["projections"]["mailbox"]


def _dies(*_: Any, **__: Any) -> Any:
    raise RuntimeError("killed")


def catch_up(lag: Lag, mail: LandedMail, lease: Lease) -> None:
    with mongodb().client.start_session() as session:
        observing._catch_up(lag, mail.mailbox_id, lease, session, observing.Observed(), 0.0)


def test_a_stalled_observer_changes_nothing_after_another_took_over(mail: LandedMail) -> None:
    mail.land(mail_item())
    lag = watermark.lag("ada", mail.mailbox_id)
    assert lag is not None
    with held("mailbox", "ada") as stalled:
        assert stalled is not None
        assert observe("ada", mail.mailbox_id).records == 0  # somebody is at it
        with held("mailbox", "ada", by_force=True):
            pass
        observe("ada", mail.mailbox_id)
        mail.change(isRead=True)
        with pytest.raises(LeaseLost):
            catch_up(lag, mail, stalled)
    observe("ada", mail.mailbox_id)
    assert mail.told() == [("m1", "arrived"), ("m1", "read")]


def test_two_observers_at_once_tell_everything_once(mail: LandedMail) -> None:
    mail.land(*(mail_item(f"m{number}") for number in range(300)))
    threads = [threading.Thread(target=observe, args=("ada", mail.mailbox_id)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail.events()) == 300


def test_a_closed_mailbox_rests_and_others_are_not_touched(mail: LandedMail) -> None:
    other = LandedMail("bob")
    mail.land(mail_item())
    other.land(mail_item())
    due = lagging(datetime.now(UTC), 10)
    assert {(one.user_id, one.mailbox_id, one.tenant_id) for one in due} == {
        ("ada", mail.mailbox_id, "acme"),
        ("bob", other.mailbox_id, "acme"),
    }
    assert observe("ada", other.mailbox_id).records == 0
    collection(Mailbox).update_one({"_id": mail.mailbox_id}, {"$set": {"is_connected": False}})
    observe("ada", mail.mailbox_id)
    assert mail.told() == []
    assert [one.user_id for one in lagging(datetime.now(UTC), 10)] == ["bob"]
    collection(Mailbox).update_one({"_id": mail.mailbox_id}, {"$set": {"is_connected": True}})
    watermark.wake("ada")
    observe("ada", mail.mailbox_id)
    assert mail.told() == [("m1", "arrived")]
    assert other.told() == []
    collection(Mailbox).delete_one({"_id": other.mailbox_id})
    with pytest.raises(Gone):
        observe("bob", other.mailbox_id)
    assert lagging(datetime.now(UTC), 10) == []


def test_an_erased_user_is_not_brought_back(mail: LandedMail) -> None:
    mail.land(mail_item())
    lag = watermark.lag("ada", mail.mailbox_id)
    assert lag is not None
    with held("mailbox", "ada") as lease:
        assert lease is not None
        collection(SyncState).delete_many({"user_id": "ada", "source": SOURCE})
        with pytest.raises(LeaseLost):
            catch_up(lag, mail, lease)
    assert mail.told() == []
