"""Which rule a mail meets, whatever lands as a mail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mail_items import INBOX, PROJECTS, mail_item

from pipeline.mailbox import guards
from pipeline.mailbox.matching import Mail, first_match, matches
from pipeline.mailbox.subjects import normalized

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.text(max_size=80))
@example("Re: FW: [2] re: x")
@example("Invoice 12.03.2026 over $ 1,200.50 (ref 7f3a9c21b)")
@example("İ re: 5 may")
def test_a_normalized_subject_stays_as_it_is(subject: str) -> None:
    once = normalized(subject)
    assert normalized(once) == once


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: Fwd: Your order 48213 has shipped", "your order <number> has shipped"),
        ("AW: Rechnung vom 12.03.2026", "rechnung vom <date>"),
        ("Receipt March 5, 2026: €12.99", "receipt <date>: <money>"),
        ("Build a3f9c21 failed at 10:45", "build <id> failed at <time>"),
        ("Ticket 550e8400-e29b-41d4-a716-446655440000", "ticket <id>"),
        ("  Two   spaces ", "two spaces"),
    ],
)
def test_what_differs_from_mail_to_mail_is_left_out(subject: str, expected: str) -> None:
    assert normalized(subject) == expected


@hypothesis_settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([*mail_item(), "internetMessageHeaders"]), ANYTHING))
def test_any_item_is_a_mail_that_matches_no_empty_conditions(item: dict[str, Any]) -> None:
    mail = Mail.of(item)
    assert mail.importance in ("low", "normal", "high")
    assert not matches({}, mail)
    assert not matches({"sender_email": [], "subject_contains": "", "from_folder": None}, mail)


def test_headers_tell_newsletters_and_machines() -> None:
    plain = Mail.of(mail_item())
    told = (plain.has_list_unsubscribe, plain.is_newsletter, plain.is_automated)
    assert told == (False, False, False)
    letter = Mail.of(mail_item(headers={"LIST-Unsubscribe": "<mailto:x>"}))
    assert letter.has_list_unsubscribe
    assert letter.is_newsletter
    listed = Mail.of(mail_item(headers={"List-ID": "<x>"}))
    assert (listed.has_list_unsubscribe, listed.is_newsletter) == (False, True)
    for name, value, automated in (
        ("X-Auto-Response-Suppress", "All", True),
        ("Auto-Submitted", "no", False),
        ("Auto-Submitted", "Auto-Replied; owner=x", True),
        ("Precedence", "Bulk", True),
        ("Precedence", "list", False),
    ):
        assert Mail.of(mail_item(headers={name: value})).is_automated is automated


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"sender_email": ["ann@x.example", "BOB@shop.example"]}, True),
        ({"sender_email": "bob@shop.example"}, True),
        ({"sender_domain": "SHOP.example"}, True),
        ({"sender_domain": "example"}, False),
        ({"subject_contains": "INVOICE"}, True),
        ({"body_contains": "12 eur"}, True),
        ({"from_folder": INBOX}, True),
        ({"from_folder": PROJECTS}, False),
        ({"sender_domain": "shop.example", "subject_contains": "offer"}, False),
    ],
)
def test_all_conditions_must_hold(conditions: dict[str, Any], expected: bool) -> None:
    assert matches(conditions, Mail.of(mail_item())) is expected


def test_the_first_rule_that_matches_is_met_and_the_tenants_come_last() -> None:
    mail = Mail.of(mail_item())
    off = {"_id": 1, "is_enabled": False, "conditions": {"sender_domain": "shop.example"}}
    other = {"_id": 2, "is_enabled": True, "conditions": {"sender_domain": "x.example"}}
    hit = {"_id": 3, "is_enabled": True, "conditions": {"sender_domain": "shop.example"}}
    org = {"_id": 4, "is_enabled": True, "conditions": {"subject_contains": "invoice"}}
    assert first_match([off, other, hit], [org], mail) == hit
    assert first_match([off, other], [org], mail) == org
    assert first_match([other], [], mail) is None


def test_whatever_pauses_a_mailbox_says_why() -> None:
    user: dict[str, Any] = {"is_active": True, "preferences": {}}
    mailbox: dict[str, Any] = {"is_connected": True, "settings": {}}
    assert guards.why_paused(user, mailbox) is None
    assert guards.why_paused({}, {}) is None
    for paused in (
        guards.why_paused(None, mailbox),
        guards.why_paused(user | {"is_active": False}, mailbox),
        guards.why_paused(user | {"preferences": {"automation_paused": True}}, mailbox),
        guards.why_paused(user, mailbox | {"is_connected": False}),
        guards.why_paused(user, mailbox | {"settings": {"automation_paused": True}}),
    ):
        assert paused


def test_a_whitelist_is_the_mailboxs_or_the_tenants_and_domains_are_exact() -> None:
    mailbox = {"settings": {"whitelisted_senders": ["bob@shop.example"]}}
    policy = {"whitelisted_domains": ["bank.example"]}
    assert guards.whitelisted(mailbox, None, "Bob@Shop.example")
    assert guards.whitelisted(mailbox, policy, "any@bank.example")
    assert not guards.whitelisted(mailbox, policy, "any@mail.bank.example")
    assert not guards.whitelisted({}, {"whitelisted_domains": [""]}, "nobody")
