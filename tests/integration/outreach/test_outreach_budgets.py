"""What senders, tenants and domains may be sent, counted in a real Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
from redis_clock import Clock, clock_of

from models import OutboundMessage, ScheduledAction, SenderIdentity, Tenant
from pipeline.limits import budgets as limits
from pipeline.outreach import budgets
from pipeline.outreach.sending import spreading
from pipeline.stores import Row, collection, redis_client

TENANT: Row = {"_id": rows.TENANT}
pytestmark = pytest.mark.usefixtures("stores")


def sender(**fields: Any) -> Row:
    found = collection(SenderIdentity).find_one({"_id": rows.sender(**fields)})
    assert found is not None
    return found


def names(found: list[limits.Budget]) -> dict[str, tuple[int, float]]:
    return {budget.name: (budget.limit, budget.seconds) for budget in found}


def test_limits_of_ones_own_go_before_those_of_the_settings(setting: Any) -> None:
    usual = names(budgets.of_sender(sender(), None, "example.com"))
    assert usual == {
        "sender_minute": (20, 60),
        "sender_hour": (1000, 3600),
        "sender_day": (10_000, 86_400),
        "tenant": (5000, 3600),
        "domain": (200, 3600),
        "total": (20_000, 3600),
    }
    own = sender(
        sender_id="own", channel="sms", provider="twilio", limits={"per_minute": 0, "per_day": 7}
    )
    tenant = {"_id": rows.TENANT, "sends_per_hour": 3, "domain_sends_per_hour": 1}
    setting(OUTREACH_SMS_PER_HOUR=99)
    assert names(budgets.of_sender(own, tenant, "example.com")) == {
        "sender_minute": (0, 60),
        "sender_hour": (99, 3600),
        "sender_day": (7, 86_400),
        "tenant": (3, 3600),
        "total": (20_000, 3600),
    }
    assert budgets.sender_room(own, tenant) == (0, 3600)
    refused = limits.take(budgets.of_sender(own, tenant))
    assert refused is not None
    assert budgets.words(refused.budget) == "its sender may send 0 in any minute"


def test_a_sender_shows_what_it_has_used_what_waits_and_when_it_may_go_on() -> None:
    mail = sender(limits={"per_minute": 2})
    collection(Tenant).insert_one(TENANT | {"sends_per_hour": 50})
    now = datetime.now(UTC)
    for n, domain in enumerate(["a.example", "b.example", "b.example"]):
        row = {"_id": str(n), "sender_id": mail["_id"], "domain": domain, "sent_at": now}
        collection(OutboundMessage).insert_one(row | {"dedupe_key": str(n)})
    waits = {"sender_id": mail["_id"], "kind": "send", "status": "pending"}
    collection(ScheduledAction).insert_many(
        [
            waits | {"_id": "due", "due_at": now},
            waits | {"_id": "later", "due_at": now + timedelta(hours=1)},
        ]
    )
    tenant = collection(Tenant).find_one({"_id": rows.TENANT})
    for _ in range(2):
        assert limits.take(budgets.of_sender(mail, tenant, "b.example")) is None
    shown = budgets.shown(mail)
    assert [(use.name, use.domain, use.used, use.limit) for use in shown.uses] == [
        ("sender_minute", "", 2, 2),
        ("sender_hour", "", 2, 1000),
        ("sender_day", "", 2, 10_000),
        ("tenant", "", 2, 50),
        ("total", "", 2, 20_000),
        ("domain", "b.example", 2, 200),
        ("domain", "a.example", 0, 200),
    ]
    assert shown.waiting == 1
    assert 60 < (shown.next_at - now).total_seconds() < 70


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of budgets, also where slots are given out."""

    def read(budget: limits.Budget) -> tuple[int, dict[bytes, bytes]]:
        return clock.now, redis_client().hgetall(limits._key(budget))

    with clock_of(limits) as clock:
        clock.advance(datetime.now(UTC).timestamp() - clock.seconds)
        monkeypatch.setattr(limits, "_read", read)
        yield clock


def test_a_thousand_to_one_domain_are_each_put_off_once_and_no_hour_sees_too_many(
    clock: Clock, setting: Any
) -> None:
    campaign_id = rows.campaign(rows.plan(rows.send("first")), rows.contacts(1))
    [action] = rows.actions(campaign_id)
    since = action["due_at"] - timedelta(seconds=1)
    waiting = [action | {"_id": f"send:{n:03}", "due_at": since} for n in range(999)]
    collection(ScheduledAction).insert_many(waiting)
    no_limit = dict.fromkeys(("per_minute", "per_hour", "per_day"), 10**6)
    mail = sender() | {"limits": no_limit}
    changes: Counter[str] = Counter()
    sent: list[float] = []
    while open_actions := dues(campaign_id):
        clock.advance(max(0.0, min(open_actions.values()).timestamp() - clock.seconds))
        due = [one for one, at in open_actions.items() if at.timestamp() <= clock.seconds]
        found = budgets.of_sender(mail, None, "example.com")
        taken = due[: min(limits.room(found).units, 40)]
        if taken:
            assert limits.take(found, len(taken)) is None
            collection(ScheduledAction).delete_many({"_id": {"$in": taken}})
            sent += [clock.seconds] * len(taken)
            clock.advance(17.3)
            continue
        refused = limits.take(found)
        assert refused is not None
        assert refused.budget.name == "domain"
        late = collection(ScheduledAction).find_one({"_id": due[0]})
        assert late is not None
        spreading.spread(late, refused.budget)
        changes.update(one for one, at in dues(campaign_id).items() if at != open_actions[one])
    assert len(sent) == 1000
    assert max(changes.values()) == 1
    assert all(later - at > 3600 for at, later in zip(sent, sent[200:], strict=False))
    assert sent[-1] - sent[0] < 5 * 3600


def test_jobs_that_are_refused_at_once_get_slots_of_their_own() -> None:
    campaign_id = rows.campaign(rows.plan(rows.send("first")), rows.contacts(6))
    tenant = TENANT | {"domain_sends_per_hour": 2}
    budget = budgets.of_domain(rows.TENANT, tenant, "example.com")
    assert limits.take([budget], 2) is None
    queued = {"$set": {"status": "queued"}}
    collection(ScheduledAction).update_many({"campaign_id": campaign_id}, queued)
    late = rows.actions(campaign_id)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda row: spreading.spread(row, budget), late)) == [1] * 6
    times = sorted(dues(campaign_id).values())
    hours = [round((at - rows.now()).total_seconds() / 3840) for at in times]
    assert hours == [1, 1, 2, 2, 3, 3]


def dues(campaign_id: str) -> dict[str, datetime]:
    return {row["_id"]: row["due_at"] for row in rows.actions(campaign_id)}
