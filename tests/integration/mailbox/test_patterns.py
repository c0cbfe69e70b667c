"""Patterns: found in events, suggested, decided on; whatever is repeated or comes at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from bson import ObjectId
from landed_mail import LandedMail
from mail_items import ARCHIVE, DELETED, INBOX, PROJECTS

from models import (
    EmailEvent,
    Erasure,
    MailAudit,
    Mailbox,
    Notification,
    Pattern,
    Rule,
    TenantPolicy,
    User,
)
from pipeline.errors import Gone, Permanent
from pipeline.mailbox.patterns import bulk, lifecycle, nightly, suppressing
from pipeline.mailbox.patterns.analysis import Analysed, analyze
from pipeline.stores import Row, collection
from pipeline.sync.erasures import erasure_id

NOW = datetime(2026, 11, 30, 2, 10, tzinfo=UTC)
_numbers = count()


class Reader:
    """A user, the mail that comes, and what is done with it."""

    def __init__(self, user_id: str = "ada") -> None:
        mail = LandedMail(user_id)
        self.user_id, self.mailbox_id = mail.user_id, mail.mailbox_id

    def got(
        self,
        number: int,
        *acts: tuple[str, str],
        sender: str = "news",
        days: tuple[int, int] = (60, 2),
        **about: Any,
    ) -> None:
        """Give so many mails of `sender`, from so many days ago to so many."""
        events: list[Row] = []
        first, last = days
        for turn in range(number):
            arrived = NOW - timedelta(days=first - (first - last) * turn / number)
            message_id = f"m{next(_numbers)}"
            for stamp, (kind, folder) in enumerate([("arrived", INBOX), *acts], 1):
                at = arrived + timedelta(minutes=stamp - 1)
                events.append(self._event(message_id, kind, folder, sender, stamp, at))
            events[-1]["metadata"] |= about
        collection(EmailEvent).insert_many(events)

    def _event(
        self, message_id: str, kind: str, folder: str, sender: str, stamp: int, at: datetime
    ) -> Row:
        domain = "shop.example"
        return {
            "user_id": self.user_id,
            "mailbox_id": self.mailbox_id,
            "message_id": message_id,
            "event_type": kind,
            "change_stamp": stamp,
            "timestamp": at,
            "sender": {"email": f"{sender}@{domain}", "domain": domain},
            "to_folder": folder,
            "metadata": {},
        }

    def analyze(self, now: datetime = NOW) -> Analysed:
        return analyze(self.user_id, self.mailbox_id, now)

    def patterns(self, **wanted: Any) -> list[Row]:
        return list(collection(Pattern).find({"user_id": self.user_id} | wanted).sort("_id"))

    def pattern(self) -> Row:
        [pattern] = self.patterns()
        return pattern

    @property
    def pattern_id(self) -> str:
        return str(self.pattern()["_id"])

    def rules(self) -> list[Row]:
        return list(collection(Rule).find({"user_id": self.user_id}))

    def audited(self) -> list[str]:
        rows = collection(MailAudit).find({"user_id": self.user_id}).sort("_id", 1)
        return [row["action"] for row in rows]

    def set(self, **values: Any) -> None:
        changes = {f"pattern_settings.{name}": value for name, value in values.items()}
        collection(User).update_one({"_id": self.user_id}, {"$set": changes})


DELETE = ("deleted", DELETED)


@pytest.fixture
def reader(stores: None) -> Reader:
    return Reader()


def test_habits_are_found_and_their_user_is_told_once(reader: Reader) -> None:
    reader.got(90, DELETE)
    reader.got(20, ("moved", PROJECTS), sender="boss")
    reader.got(20, ("moved", ARCHIVE), sender="list")
    reader.got(20, ("read", INBOX), sender="wife")
    reader.got(30, DELETE, sender="maybe")
    reader.got(60, sender="kept")
    assert reader.analyze() == Analysed(detected=1, suggested=4, told=4)
    # Again, and twice at once: nothing new.
    looks = [threading.Thread(target=reader.analyze) for _ in range(3)]
    for one in looks:
        one.start()
    for one in looks:
        one.join()
    assert reader.analyze() == Analysed(detected=1, suggested=4)

    found = {row["condition"]["sender_email"].split("@")[0]: row for row in reader.patterns()}
    actions = {name: row["suggested_action"] for name, row in found.items()}
    assert actions == {
        "news": {"action_type": "delete"},
        "boss": {"action_type": "move", "to_folder": PROJECTS},
        "list": {"action_type": "archive"},
        "wife": {"action_type": "mark_read"},
        "maybe": {"action_type": "delete"},
    }
    news = found["news"]
    assert (news["status"], news["confidence"], news["version"]) == ("suggested", 98.2, 1)
    assert (news["sample_size"], news["exception_count"]) == (90, 0)
    assert news["first_seen_at"] == NOW - timedelta(days=60)
    assert len(news["evidence"]) == 10
    assert Pattern._from_son(news, created=True).validate() is None
    assert found["maybe"]["status"] == "detected"
    told = list(collection(Notification).find({"type": "pattern_detected"}))
    assert {row["related_entity"]["entity_id"] for row in told} == {
        str(row["_id"]) for row in found.values() if row["status"] == "suggested"
    }
    assert not any("@" in row["message"] + row["title"] for row in told)


def test_what_a_rule_does_or_was_there_before_is_no_habit(reader: Reader) -> None:
    reader.got(90, DELETE, automated_by_rule="rule")
    reader.got(90, sender="old", found_at_start=True)
    assert reader.analyze() == Analysed()
    reader.got(90, DELETE)
    reader.got(90, DELETE, sender="old")
    assert reader.analyze().suggested == 2


def test_a_new_sender_waits_two_weeks_even_if_the_window_is_shorter(reader: Reader) -> None:
    reader.set(observation_window_days=7, threshold_delete=90)
    reader.got(90, DELETE, days=(6, 1))
    assert reader.analyze() == Analysed(detected=1)
    reader.got(90, DELETE, days=(0, -6))
    assert reader.analyze(NOW + timedelta(days=7)).suggested == 0
    reader.got(90, DELETE, days=(-6, -10))
    assert reader.analyze(NOW + timedelta(days=11)) == Analysed(suggested=1, told=1)


def test_a_suggestion_comes_and_goes_with_the_habit(reader: Reader) -> None:
    reader.got(90, DELETE)
    assert reader.analyze().suggested == 1
    reader.got(10)
    assert reader.analyze() == Analysed(detected=1)
    reader.got(1000, DELETE)
    assert reader.analyze() == Analysed(suggested=1, told=1)
    assert reader.pattern()["version"] == 2
    # The habit is given up, then its mail is too old, then it begins anew.
    reader.got(1200)
    assert reader.analyze() == Analysed(expired=1)
    assert reader.pattern()["status"] == "expired"
    collection(EmailEvent).delete_many({})
    reader.got(90, DELETE)
    assert reader.analyze() == Analysed(suggested=1, told=1)
    assert reader.pattern()["version"] == 3
    assert reader.analyze(NOW + timedelta(days=200)) == Analysed(expired=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda: collection(User).update_one({}, {"$set": {"is_active": False}}),
        lambda: collection(Mailbox).update_one({}, {"$set": {"is_connected": False}}),
        lambda: collection(Mailbox).update_one({}, {"$set": {"user_id": "bob"}}),
        lambda: collection(Erasure).insert_one({"_id": erasure_id("ada"), "status": "erasing"}),
        lambda: collection(User).delete_many({}),
    ],
)
def test_nothing_is_learnt_where_nothing_may_be(reader: Reader, change: Any) -> None:
    reader.got(90, DELETE)
    change()
    assert reader.analyze() == Analysed()
    assert not reader.patterns()


def test_an_approval_makes_one_rule_and_taking_it_back_deletes_only_that(reader: Reader) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    other = collection(Rule).insert_one(
        {
            "user_id": "ada",
            "tenant_id": "acme",
            "mailbox_id": reader.mailbox_id,
            "name": "Mine",
            "scope": "user",
            "conditions": {"sender_domain": "shop.example"},
            "actions": [{"action_type": "flag", "order": 0}],
            "is_enabled": True,
            "priority": 0,
        }
    )
    for _ in range(2):
        approved = lifecycle.approve("ada", reader.pattern_id, by="op")
        assert approved.problem is None
    assert [str(row["_id"]) for row in reader.rules()] == [str(other.inserted_id), approved.rule_id]
    assert reader.pattern()["status"] == "approved"
    # Nothing that is found later changes what was approved.
    reader.got(300)
    assert reader.analyze() == Analysed(skipped=0)
    assert reader.pattern()["sample_size"] == 90

    for _ in range(2):
        back = lifecycle.unapprove("ada", reader.pattern_id, by="op")
        assert (back["status"], back.get("approved_at")) == ("suggested", None)
    assert [row["_id"] for row in reader.rules()] == [other.inserted_id]
    audited = [action for action in reader.audited() if action.startswith("pattern_")]
    assert audited == ["pattern_approved", "pattern_unapproved"]
    assert collection(Notification).count_documents({"type": "pattern_detected"}) == 1


def test_an_approval_stands_without_its_rule_and_the_next_one_makes_it(reader: Reader) -> None:
    reader.got(20, ("moved", "gone-folder"))
    reader.analyze()
    approved = lifecycle.approve("ada", reader.pattern_id, by="op")
    assert approved.rule_id is None
    assert "folder" in str(approved.problem)
    assert reader.pattern()["status"] == "approved"
    again = lifecycle.customize(
        "ada", reader.pattern_id, action_type="move", to_folder=PROJECTS, by="op"
    )
    assert again.problem is None
    [rule] = reader.rules()
    assert rule["actions"][0]["to_folder"] == PROJECTS
    lifecycle.customize("ada", reader.pattern_id, action_type="mark_read", by="op")
    [rule] = reader.rules()
    assert [one["action_type"] for one in rule["actions"]] == ["mark_read"]
    assert "to_folder" not in reader.pattern()["suggested_action"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"action_type": "forward"}, "action_type: expected one of delete"),
        ({"action_type": "move"}, "to_folder: a move needs"),
        ({"action_type": "move", "to_folder": "nowhere"}, "to_folder: a move needs"),
        ({"action_type": "categorize"}, "category: say which"),
    ],
)
def test_an_action_that_cannot_be_is_refused(reader: Reader, asked: Row, why: str) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    with pytest.raises(Permanent, match=why):
        lifecycle.customize("ada", reader.pattern_id, by="op", **asked)
    assert reader.pattern()["status"] == "suggested"


def test_what_was_rejected_is_suggested_anew_once_the_cooldown_is_over(reader: Reader) -> None:
    reader.set(rejection_cooldown_days=3)
    reader.got(90, DELETE)
    reader.analyze()
    lifecycle.approve("ada", reader.pattern_id, by="op")
    rejected = lifecycle.reject("ada", reader.pattern_id, by="op")
    assert not reader.rules()
    cooldown = rejected["rejection_cooldown_until"] - rejected["rejected_at"]
    assert cooldown == timedelta(days=3)
    assert lifecycle.reject("ada", reader.pattern_id, by="op") == rejected
    with pytest.raises(Permanent, match="it is rejected"):
        lifecycle.approve("ada", reader.pattern_id, by="op")
    with pytest.raises(Permanent, match="it is rejected"):
        lifecycle.unapprove("ada", reader.pattern_id, by="op")
    assert reader.analyze() == Analysed(skipped=1)
    over = {"rejection_cooldown_until": NOW - timedelta(seconds=1)}
    collection(Pattern).update_one({}, {"$set": over})
    assert reader.analyze() == Analysed(suggested=1, told=1)
    assert reader.pattern()["version"] == 2
    assert not {"rejected_at", "rejection_cooldown_until", "approved_at"} & set(reader.pattern())


def test_a_pattern_is_its_users_alone(reader: Reader) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    for act in (lifecycle.approve, lifecycle.unapprove, lifecycle.reject):
        with pytest.raises(Gone):
            act("bob", reader.pattern_id, by="op")
        for nothing in (str(ObjectId()), "nonsense"):
            with pytest.raises(Gone):
                act("ada", nothing, by="op")
    with pytest.raises(Gone):
        suppressing.suppress("bob", reader.pattern_id, "sender", by="op")


def test_each_of_many_is_approved_on_its_own(reader: Reader) -> None:
    senders = ("news", "ads", "spam", "done", "other")
    for sender in senders:
        reader.got(90, DELETE, sender=sender)
    reader.analyze()
    ids = {
        row["condition"]["sender_email"].split("@")[0]: str(row["_id"]) for row in reader.patterns()
    }
    lifecycle.approve("ada", ids["done"], by="op")
    lifecycle.customize("ada", ids["other"], action_type="flag", by="op")
    lifecycle.reject("ada", ids["spam"], by="op")
    asked = [*(ids[sender] for sender in senders), "nonsense", ids["news"]]
    outcomes = bulk.approve_many("ada", asked, by="op", action_type="delete")
    assert [one.outcome for one in outcomes] == [
        "approved",
        "approved",
        "refused",
        "skipped",
        "retargeted",
        "refused",
    ]
    kinds = {rule["actions"][0]["action_type"] for rule in reader.rules()}
    assert (len(reader.rules()), kinds) == (4, {"delete"})
    bulk.approve_many("ada", [ids["news"]], by="op", action_type="mark_read")
    assert sorted(rule["actions"][0]["action_type"] for rule in reader.rules())[-1] == "mark_read"
    with pytest.raises(Permanent, match="at most 500"):
        bulk.approve_many("ada", [str(n) for n in range(501)], by="op")
    with pytest.raises(Permanent, match="delete or mark_read"):
        bulk.approve_many("ada", [], by="op", action_type="move")


@pytest.mark.parametrize(("whom", "silenced"), [("sender", 1), ("domain", 2)])
def test_what_is_suppressed_is_never_suggested_until_that_is_taken_back(
    reader: Reader, whom: Any, silenced: int
) -> None:
    reader.got(90, DELETE)
    reader.got(90, DELETE, sender="ads")
    reader.analyze()
    pattern_id = str(reader.patterns()[0]["_id"])
    lifecycle.approve("ada", pattern_id, by="op")
    assert suppressing.suppress("ada", pattern_id, whom, by="op") == silenced
    assert suppressing.suppress("ada", pattern_id, whom, by="op") == 0
    assert not reader.rules()
    assert reader.audited().count("whitelist_updated") == 1
    assert [row["rejection_cooldown_until"].year for row in reader.patterns(status="rejected")] == [
        9999
    ] * silenced
    assert reader.analyze(NOW + timedelta(days=1)).skipped == silenced
    assert suppressing.unsuppress("ada", pattern_id, whom, by="op") == silenced
    assert reader.analyze(NOW + timedelta(days=2)).suggested == 2


def test_a_whitelisted_sender_has_no_open_pattern(reader: Reader) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    collection(TenantPolicy).insert_one({"_id": "acme", "whitelisted_domains": ["shop.example"]})
    with pytest.raises(Permanent, match="whitelist"):
        lifecycle.approve("ada", reader.pattern_id, by="op")
    assert reader.analyze() == Analysed(expired=1, skipped=1)


def test_who_approves_and_rejects_at_once_leaves_no_rule_without_an_approval(
    reader: Reader,
) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    pattern_id = reader.pattern_id
    for _ in range(8):
        collection(Pattern).update_one({}, {"$set": {"status": "suggested"}})
        together(
            lambda: lifecycle.approve("ada", pattern_id, by="op"),
            lambda: lifecycle.reject("ada", pattern_id, by="op"),
            lambda: lifecycle.unapprove("ada", pattern_id, by="op"),
        )
        rules = 1 if reader.pattern()["status"] == "approved" else 0
        assert len(reader.rules()) == rules


def test_a_rule_that_was_left_without_its_approval_is_deleted_at_night(reader: Reader) -> None:
    reader.got(90, DELETE)
    reader.analyze()
    lifecycle.approve("ada", reader.pattern_id, by="op")
    nightly.carry_out("ada", reader.mailbox_id)
    assert len(reader.rules()) == 1
    # The process ended between the decision and the rule.
    collection(Pattern).update_one({}, {"$set": {"status": "rejected"}})
    nightly.carry_out("ada", reader.mailbox_id)
    assert not reader.rules()


def together(*acts: Callable[[], Any]) -> None:
    """Do all at once; to be refused is an outcome like another."""
    barrier = threading.Barrier(len(acts))
    broken: list[Exception] = []

    def run(act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            act()
        except (Permanent, Gone):
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it should not be
            broken.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken


@pytest.fixture
def due(reader: Reader) -> Reader:
    collection(Mailbox).update_one(
        {}, {"$set": {"analysis_due_at": datetime.now(UTC), "time_zone": "Asia/Tokyo"}}
    )
    return reader


def due_at() -> datetime:
    mailbox = collection(Mailbox).find_one({})
    assert mailbox is not None
    at: datetime = mailbox["analysis_due_at"]
    return at


def test_a_mailbox_is_due_again_until_it_was_analyzed(due: Reader, setting: Any) -> None:
    setting(REQUEUE_AFTER_SECONDS=90)
    assert nightly.queue_due() == "1 queued, 0 queued before"
    assert timedelta(seconds=80) < due_at() - datetime.now(UTC) <= timedelta(seconds=90)
    assert nightly.queue_due() == "0 queued, 0 queued before"
    collection(Mailbox).update_one({}, {"$set": {"analysis_due_at": datetime.now(UTC)}})
    assert nightly.queue_due() == "0 queued, 1 queued before"

    nightly.carry_out(due.user_id, due.mailbox_id)
    night = due_at()
    assert timedelta() < night - datetime.now(UTC) < timedelta(days=1, minutes=1)
    assert night.hour == 17  # it is 02:00 in Tokyo
    assert night.minute <= 30
    collection(Mailbox).update_one({}, {"$set": {"is_connected": False, "analysis_due_at": None}})
    nightly.carry_out(due.user_id, due.mailbox_id)
    assert due_at() is None
