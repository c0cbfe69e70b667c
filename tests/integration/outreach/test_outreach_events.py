"""What providers tell of messages: each fact once, whatever comes twice, late or out of order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
import told_events as told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from told_events import HOUR, deliver, entry, sent_message, tell

from models import AuditLog, Enrollment, PlanVersion
from models.outreach import (
    ENROLLMENT_OVER,
    OutboundMessage,
    OutreachDelivery,
    OutreachEvent,
    Suppression,
)
from pipeline.errors import Gone
from pipeline.outreach import campaigns, events, suppressions
from pipeline.outreach.events import deliveries
from pipeline.outreach.plans import stored
from pipeline.stores import Row, collection

pytestmark = pytest.mark.usefixtures("stores")


def test_what_happened_is_kept_and_moves_the_contact_on() -> None:
    message = sent_message()
    clicked_at = message["sent_at"] + HOUR
    url = "https://ada:secret@shop.example/offer?email=ada@example.com#top"
    done = tell(
        entry(message, "processed"),
        entry(message, "delivered", message["sent_at"] + timedelta(seconds=2)),
        entry(message, "click", clicked_at, url=url),
    )
    assert done["counts"] == {
        "applied": 2, "duplicates": 0, "noted": 1, "skipped": 0, "malformed": 0,
    }  # fmt: skip
    assert (done["status"], done["tenant_ids"], done.get("open")) == ("processed", ["acme"], None)
    delivered, clicked = told.kept(message)
    assert (delivered["type"], delivered["delivery_id"]) == ("delivered", done["_id"])
    assert clicked["data"] == {"url": "https://shop.example/offer"}
    assert clicked["effect"] == "led from first to rest"
    row = told.message(message["_id"])
    assert row["clicked_at"] == clicked_at.replace(microsecond=0)
    assert row["delivered_at"] < row["clicked_at"]
    assert told.enrollment(message)["node_id"] == "rest"


def test_told_twice_or_by_two_at_once_is_known_once() -> None:
    message = sent_message()
    same = [entry(message, "open"), entry(message, "click")]
    tell(*same, *same)
    again = tell(*same)
    assert again["counts"]["duplicates"] == 2
    assert len(told.kept(message)) == 2

    others = [sent_message(f"other{n}") for n in range(3)]
    many = [entry(one, kind) for one in others for kind in ("delivered", "open", "unsubscribe")]
    deliveries = [deliver([*many, {"copy": n}]) for n in range(4)]
    start = threading.Barrier(4)

    def work(delivery_id: str) -> None:
        start.wait()
        events.process(delivery_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, deliveries))
    counts = [told.delivery(one)["counts"] for one in deliveries]
    assert sum(one["applied"] for one in counts) == len(many)
    assert [len(told.kept(one)) for one in others] == [3, 3, 3]
    for one in others:
        row = told.suppressed(one)
        assert row is not None
        assert row["count"] == 1


def test_an_event_that_cannot_be_recorded_keeps_no_other_from_being_heeded() -> None:
    broken, *good = (sent_message(f"one{n}") for n in range(6))
    collection(PlanVersion).delete_many({"campaign_id": broken["campaign_id"]})
    stored.cache_clear()
    entries = [entry(one, "unsubscribe") for one in (*good[:3], broken, *good[3:])]
    delivery_id = deliver(entries)
    for _ in range(2):
        with pytest.raises(Gone):
            events.process(delivery_id)
    assert [bool(told.suppressed(one)) for one in good] == [True] * 5
    row = told.suppressed(broken)
    assert row is not None
    assert (row["reason"], row["count"]) == ("unsubscribed", 1)
    assert told.delivery(delivery_id)["open"]

    late = rows.now() - timedelta(minutes=2)
    spent = {"received_at": late, "attempts": deliveries.MOST_ATTEMPTS}
    collection(OutreachDelivery).update_one({"_id": delivery_id}, {"$set": spent})
    assert events.sweep() == "0 requests late, 1 failed"
    assert told.delivery(delivery_id)["status"] == "failed"
    assert deliveries.reopen() == 1
    assert deliveries.reopen() == 0
    assert events.sweep() == "1 request late"
    collection(OutreachDelivery).update_one({"_id": delivery_id}, {"$set": {"status": "failed"}})
    assert deliveries.reopen(delivery_id) == 1


def test_events_without_an_id_of_their_own_are_told_apart_by_what_they_say() -> None:
    message = sent_message()
    bare = {n: v for n, v in entry(message, "open").items() if n != "sg_event_id"}
    tell(bare, bare)
    tell(bare, bare | {"timestamp": bare["timestamp"] + 1})
    assert len(told.kept(message)) == 2


def test_a_batch_may_hold_anything_and_each_entry_stands_for_itself() -> None:
    ours, theirs = sent_message("ours"), sent_message("theirs")
    collection(OutboundMessage).update_one({"_id": theirs["_id"]}, {"$set": {"tenant_id": "b"}})
    collection(Enrollment).update_one(
        {"_id": theirs["enrollment_id"]}, {"$set": {"tenant_id": "b"}}
    )
    by_provider = entry(ours, "delivered")
    del by_provider["outbound_message_id"]
    done = tell(
        entry(theirs | {"tenant_id": "b"}, "open"),
        by_provider,
        "not an event",
        entry(ours, "open", timestamp="yesterday"),
        entry(ours, "open", timestamp=-1),
        entry(ours, "open", timestamp=True),
        {"timestamp": 1_700_000_000},
        entry(ours, "account_status_change"),
        entry(ours, "open", outbound_message_id="of-another-environment"),
        entry(ours, "open", tenant_id="b"),
        entry(ours, "open", sg_event_id="e" * 101),
    )
    assert done["status"] == "partial"
    assert done["tenant_ids"] == ["acme", "b"]
    assert (done["counts"]["applied"], done["counts"]["malformed"]) == (2, 6)
    named = [problem.partition(":")[0] for problem in done["problems"]]
    assert named[:6] == [
        "[2]", "[3].timestamp", "[4].timestamp", "[5].timestamp", "[6].event", "[10].sg_event_id",
    ]  # fmt: skip
    assert done["problems"][6:] == [
        "1 skipped: an unknown type of event",
        "2 skipped: there is no such message",
    ]
    assert "yesterday" not in str(done["problems"])
    [event] = collection(OutreachEvent).find({"tenant_id": "b"})
    assert event["message_id"] == theirs["_id"]


@pytest.mark.parametrize(
    ("event", "fields", "reason", "data"),
    [
        ("bounce", {"type": "bounce", "status": "5.1.1"}, "bounced", ("hard", "5.1.1")),
        ("bounce", {"type": "blocked", "status": "<a@b.c>"}, None, ("soft",)),
        ("dropped", {"reason": "Bounced Address"}, "bounced", ("dropped", "bounced")),
        ("dropped", {"reason": "Invalid"}, "invalid", ("dropped", "invalid")),
        ("dropped", {"reason": "Spam Content"}, None, ("dropped", "other")),
        ("spamreport", {}, "spam_report", ()),
        ("unsubscribe", {}, "unsubscribed", ()),
        ("group_unsubscribe", {}, "unsubscribed", ()),
    ],
)
def test_whoever_cannot_or_will_not_be_written_to_is_not_written_to_any_more(
    event: str, fields: Row, reason: str | None, data: tuple[str, ...]
) -> None:
    message = sent_message()
    elsewhere = rows.campaign(told.FOLLOW_UP, [message["contact_id"]])
    tell(entry(message, event, **fields))
    why = suppressions.why_suppressed("acme", "email", message["to_address"].upper())
    assert why == reason
    [kept] = told.kept(message)
    assert tuple(kept["data"].values()) == data
    assert told.enrollment(message)["status"] == "stopped"
    other = rows.enrollment(elsewhere, message["contact_id"])
    by_the_person = reason in ("spam_report", "unsubscribed")
    assert (other["status"] == "stopped") == by_the_person


def test_a_plan_may_say_what_follows_when_somebody_unsubscribes() -> None:
    plan = rows.plan(
        rows.send("first", rows.on("unsubscribed", "goodbye")),
        rows.wait("goodbye", rows.on("no_click", "stop", after="PT1H")),
    )
    [contact] = rows.contacts()
    campaign = rows.campaign(plan, [contact])
    message_id = rows.sent(campaign, contact, rows.now() - HOUR / 2)
    address = {"to_address": "contact-0@example.com"}
    collection(OutboundMessage).update_one({"_id": message_id}, {"$set": address})
    tell(entry(told.message(message_id), "unsubscribe", rows.now()))
    assert rows.enrollment(campaign, contact)["node_id"] == "goodbye"
    assert rows.enrollment(campaign, contact)["status"] == "active"
    assert suppressions.why_suppressed("acme", "email", "contact-0@example.com")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", [*itertools.permutations(("delivered", "open", "click"))])
def test_who_does_all_within_a_second_is_taken_all_the_way(
    order: tuple[str, ...], at_once: bool
) -> None:
    plan = rows.plan(
        rows.send("first", rows.on("delivered", "look")),
        rows.wait("look", rows.on("opened", "read")),
        rows.wait("read", rows.on("clicked", "stop"), rows.on("no_click", "look")),
    )
    message = sent_message(plan=plan)
    entries = [entry(message, kind) for kind in order]
    for some in [entries] if at_once else [[one] for one in entries]:
        tell(*some)
    assert told.enrollment(message)["status"] == "completed"


def test_while_a_campaign_is_paused_who_unsubscribes_is_stopped_all_the_same() -> None:
    message = sent_message()
    campaigns.pause("acme", message["campaign_id"], by="ada")
    tell(entry(message, "click"), entry(message, "unsubscribe"))
    row = told.enrollment(message)
    assert (row["status"], row["node_id"]) == ("stopped", "first")


def test_what_programs_open_is_kept_and_moves_nobody() -> None:
    message = sent_message()
    tell(entry(message, "open", sg_machine_open=True))
    [event] = told.kept(message)
    assert event["is_machine"]
    assert event["effect"] == "a program has opened it, not a person"
    assert "opened_at" not in told.message(message["_id"])


def test_late_events_say_why_nothing_came_of_them() -> None:
    message = sent_message()
    tell(entry(message, "spamreport"))
    tell(entry(message, "click", message["sent_at"] + HOUR / 2))
    late = next(one for one in told.kept(message) if one["type"] == "clicked")
    assert late["effect"] == "the enrollment is stopped"


@pytest.mark.parametrize("event", ["processed", "deferred", "delivered"])
def test_any_event_proves_that_a_message_was_sent(event: str) -> None:
    message = sent_message(state="unknown", reconcile_due_at=rows.now())
    tell(entry(message, event))
    row = told.message(message["_id"])
    assert row["state"] == "sent"
    assert "reconcile_due_at" not in row
    assert len(told.kept(message)) == (event == "delivered")


def test_times_that_are_not_yet_count_as_now() -> None:
    message = sent_message()
    tell(entry(message, "open", datetime.now(UTC) + timedelta(days=400)))
    [event] = told.kept(message)
    assert event["occurred_at"] <= datetime.now(UTC)


def test_a_job_that_was_killed_halfway_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [sent_message(f"m{n}") for n in range(3)]
    delivery_id = deliver([entry(one, "unsubscribe") for one in messages])
    processing = "pipeline.outreach.events.processing"
    monkeypatch.setattr(f"{processing}._CHUNK", 1)
    monkeypatch.setattr(f"{processing}.deliveries.close", _killed)
    with pytest.raises(KeyboardInterrupt):
        events.process(delivery_id)
    monkeypatch.undo()
    assert told.delivery(delivery_id)["open"]
    events.process(delivery_id)
    row = told.delivery(delivery_id)
    assert (row["attempts"], row["counts"]["duplicates"]) == (2, 3)
    assert {(told.suppressed(one) or {}).get("count") for one in messages} == {1}


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_delivery_that_lost_its_job_gets_another_until_it_has_failed_too_often() -> None:
    from pipeline.outreach.events.deliveries import MOST_ATTEMPTS

    lost, hopeless, fresh = deliver([{"n": 1}]), deliver([{"n": 2}]), deliver([{"n": 3}])
    old = {"received_at": datetime.now(UTC) - timedelta(minutes=2)}
    rows_of = collection(OutreachDelivery)
    rows_of.update_one({"_id": lost}, {"$set": old})
    rows_of.update_one({"_id": hopeless}, {"$set": old | {"attempts": MOST_ATTEMPTS}})
    assert events.sweep() == "1 request late, 1 failed"
    assert told.delivery(hopeless)["status"] == "failed"
    assert told.delivery(fresh)["open"]
    assert events.process("long-gone") == "the delivery has expired"


_KINDS = ("delivered", "open", "click", "bounce", "unsubscribe", "group_resubscribe", "spamreport")
_numbers = itertools.count()


@given(
    kinds=st.lists(st.sampled_from(_KINDS), min_size=2, max_size=5),
    seed=st.randoms(use_true_random=False),
)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_any_repetition_end_in_the_same_state(kinds: list[str], seed: Any) -> None:
    in_order = _end_after(kinds, list(range(len(kinds))))
    mixed = [*range(len(kinds)), *seed.choices(range(len(kinds)), k=2)]
    seed.shuffle(mixed)
    assert _end_after(kinds, mixed) == in_order


def _end_after(kinds: Sequence[str], order: Sequence[int]) -> Row:
    """Tell of what happened hour by hour, in this order, and return what is known then."""
    message = sent_message(f"run{next(_numbers)}")
    happened = [
        entry(message, kind, message["sent_at"] + timedelta(minutes=10 * n))
        for n, kind in enumerate(kinds)
    ]
    for position in order:
        tell(happened[position])
    row = told.message(message["_id"])
    suppression = collection(Suppression).find_one({"message_id": message["_id"]}) or {}
    grounds = suppression.get("grounds", {})
    since = message["sent_at"]
    return {
        "events": [(one["type"], one["occurred_at"] - since) for one in told.kept(message)],
        "times": {n: v - since for n, v in row.items() if n.endswith("ed_at") and n in _TIMES},
        "grounds": {name: one["count"] for name, one in grounds.items()},
        "reason": suppression.get("reason"),
        # How it ended depends on what was known first; that nothing follows does not.
        "is_over": told.enrollment(message)["status"] in ENROLLMENT_OVER,
    }


_TIMES = ("delivered_at", "opened_at", "clicked_at", "bounced_at", "unsubscribed_at")


def test_of_a_forgotten_address_only_its_hash_stays_suppressed() -> None:
    to = ("acme", "email", "ada@a.example")
    for reason in ("manual", "bounced"):
        suppressions.suppress(None, *to, reason=reason, source="admin", note="asked by Ada")
    suppressions.forget(None, *to)
    [row] = collection(Suppression).find()
    assert "ada" not in str(row).lower()
    assert suppressions.why_suppressed(*to) == "bounced"
    suppressions.lift("acme", row["_id"], by="grace")
    [audited] = collection(AuditLog).find({"action": "suppression.lift"})
    assert (audited["actor"], audited["outcome"]) == ("grace", "done")
    assert suppressions.why_suppressed(*to) is None
    with pytest.raises(Gone):
        suppressions.lift("other", row["_id"], by="grace")
