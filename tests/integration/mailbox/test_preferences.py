"""What users set is refused by its field, audited, and has its effect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from landed_mail import LandedMail
from mail_items import mail_item

from models import EmailEvent, MailAudit, Mailbox, User
from pipeline.errors import Gone
from pipeline.mailbox import preferences
from pipeline.mailbox.observing import observe
from pipeline.refusals import Refused
from pipeline.stores import collection


@pytest.fixture
def mail(stores: None) -> LandedMail:
    return LandedMail()


def audited() -> list[tuple[str, str, str]]:
    rows = collection(MailAudit).find().sort("_id")
    return [(row["action"], row["target_type"], row["target_id"]) for row in rows]


def test_what_is_out_of_range_is_refused_by_its_field(mail: LandedMail) -> None:
    LandedMail("bob")
    before = collection(User).find_one({"_id": "ada"})
    for wrong in (
        {"working_hours_start": 24},
        {"working_hours_end": True},
        {"working_hours_end": "9"},
        {"automation_paused": "yes"},
        {"time_zone": "Middle/Earth"},
        {"contacts_mailbox_id": "mb-bob"},
        {"colour": "red"},
    ):
        with pytest.raises(Refused) as refusal:
            preferences.update_preferences("ada", wrong, by="ada")
        assert refusal.value.field == next(iter(wrong))
    assert collection(User).find_one({"_id": "ada"}) == before
    assert audited() == []
    for field, low, high in (
        ("threshold_delete", 50, 100),
        ("threshold_move", 50, 100),
        ("threshold_mark_read", 50, 100),
        ("observation_window_days", 7, 365),
        ("rejection_cooldown_days", 3, 90),
        ("min_sender_events", 2, 20),
    ):
        for value in (low, high):
            told = preferences.update_pattern_settings("ada", {field: value}, by="a")
            assert told[field] == value
        for value in (low - 1, high + 1):
            with pytest.raises(Refused, match=f"expected a whole number from {low} to {high}"):
                preferences.update_pattern_settings("ada", {field: value}, by="a")


def test_a_pause_and_its_end_are_audited_and_wake_what_waits(mail: LandedMail) -> None:
    preferences.update_preferences(
        "ada", {"automation_paused": True, "time_zone": "Asia/Tokyo"}, by="ada"
    )
    preferences.update_preferences("ada", {"automation_paused": True}, by="ada")
    assert "work_due_at" not in (collection(Mailbox).find_one({}) or {})
    told = preferences.update_preferences("ada", {"automation_paused": False}, by="ada")
    assert told["working_hours_start"] == 9
    assert told["time_zone"] == "Asia/Tokyo"
    assert (collection(Mailbox).find_one({}) or {})["work_due_at"]
    assert audited() == [
        ("automation_paused", "settings", "ada"),
        ("settings_updated", "settings", "ada"),
        ("automation_resumed", "settings", "ada"),
    ]
    with pytest.raises(Gone):
        preferences.update_preferences("nobody", {}, by="ada")


def test_mailbox_settings_are_normal_and_audited_for_the_mailbox(mail: LandedMail) -> None:
    changes = {
        "whitelisted_senders": [" Bob@X.example", "bob@x.example"],
        "whitelisted_domains": ["@Bank.Example"],
        "signatures": [{"name": "Short", "content": "A."}],
    }
    told = preferences.update_mailbox_settings(mail.mailbox_id, changes, by="ada")
    assert told["whitelisted_senders"] == ["bob@x.example"]
    assert told["whitelisted_domains"] == ["bank.example"]
    assert told["signatures"][0]["id"]
    preferences.update_mailbox_settings(mail.mailbox_id, {"automation_paused": True}, by="ada")
    assert audited() == [
        ("whitelist_updated", "mailbox", mail.mailbox_id),
        ("settings_updated", "mailbox", mail.mailbox_id),
        ("automation_paused", "mailbox", mail.mailbox_id),
    ]
    stored = collection(Mailbox).find_one({})
    assert stored is not None
    assert stored["settings"]["whitelisted_domains"] == ["bank.example"]
    both = [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}]
    for wrong in (
        {"whitelisted_senders": ["nobody"]},
        {"whitelisted_senders": "bob@x.example"},
        {"whitelisted_domains": ["a@b.example"]},
        {"signatures": both},
        {"signatures": [{"content": "without a name"}]},
        {"signatures": [{"name": "x", "font": "Comic"}]},
    ):
        with pytest.raises(Refused) as refusal:
            preferences.update_mailbox_settings(mail.mailbox_id, wrong, by="ada")
        assert next(iter(wrong)) in str(refusal.value)


def test_a_tenants_policy_spares_its_mailboxes(mail: LandedMail) -> None:
    with pytest.raises(Refused):
        preferences.update_tenant_policy("acme", {"whitelisted_domains": ["x"]}, by="op")
    with pytest.raises(Refused):
        preferences.update_tenant_policy("acme", {"forwards": 3}, by="op")
    changes = {"whitelisted_domains": ["Shop.example"]}
    told = preferences.update_tenant_policy("acme", changes, by="op")
    assert told == {"whitelisted_senders": [], "whitelisted_domains": ["shop.example"]}
    assert preferences.policy("acme") == told
    assert audited() == [("whitelist_updated", "settings", "acme")]


def test_a_longer_window_keeps_events_longer_and_a_shorter_one_no_less(
    mail: LandedMail, setting: Any
) -> None:
    setting(EMAIL_EVENT_RETENTION_DAYS=90)
    received = datetime.now(UTC) - timedelta(days=10)
    mail.land(mail_item(receivedDateTime=received.isoformat()))
    observe("ada", mail.mailbox_id)

    def kept_days() -> int:
        [row] = collection(EmailEvent).find()
        return int((row["expires_at"] - row["timestamp"]).days)

    assert kept_days() == 90
    preferences.update_pattern_settings("ada", {"observation_window_days": 200}, by="ada")
    assert kept_days() == 200
    preferences.update_pattern_settings("ada", {"observation_window_days": 30}, by="ada")
    assert kept_days() == 200
