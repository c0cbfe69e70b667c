"""What pages, API and command line read: timelines, plans with counts, rates, lists by page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from outreach_rows import (
    BY,
    TENANT,
    campaign,
    contacts,
    draft,
    happened,
    now,
    on,
    plan,
    send,
    sent,
    wait,
)

from models import OutboundMessage
from pipeline.errors import Gone
from pipeline.outreach import enrollments as acts
from pipeline.outreach.reading import (
    campaigns,
    enrollments,
    messages,
    plans,
    scheduled,
    senders,
    stats,
    timeline,
)
from pipeline.outreach.reading import contacts as people
from pipeline.outreach.reading.enrollments import Filter
from pipeline.stores import collection

pytestmark = pytest.mark.usefixtures("stores")

PLAN = plan(
    send("welcome", on("opened", "follow-up"), on("no_open", "reminder", after="PT72H")),
    send("follow-up", on("no_click", "think")),
    send("reminder"),
    wait("think", on("clicked", "stop"), on("no_click", "stop", after="P2D")),
)


def told(campaign_id: str, contact_id: str, **options: bool) -> list[tuple[str, str]]:
    """Return the timeline of a contact: kind and sentence."""
    moments = timeline.of(TENANT, f"{campaign_id}:{contact_id}", **options)
    return [(one.kind, one.text) for one in moments]


def test_a_timeline_tells_in_order_what_led_where_and_what_is_next() -> None:
    opener, silent = contacts(2)
    campaign_id = campaign(PLAN, [opener, silent])
    message_id = sent(campaign_id, opener, now() - timedelta(minutes=10))
    happened(message_id, "delivered", now() - timedelta(minutes=9))
    happened(message_id, "opened", now() - timedelta(minutes=8), is_machine=True, event_id="m")
    happened(message_id, "opened", now() - timedelta(minutes=7))
    story = told(campaign_id, opener)
    assert ("message", "“welcome” was sent by e-mail") in story
    assert ("event", "“welcome” was delivered 1 min after it was sent") in story
    assert ("event", "“welcome” was opened by a program 2 min after it was sent") in story
    assert ("transition", "opened 3 min after it was sent → went on to “follow-up”") in story
    assert story[-1] == ("scheduled", "send “follow-up”")
    assert ("transition", "began with “welcome”") in story
    delivered = timeline.of(TENANT, f"{campaign_id}:{opener}")[1]
    assert delivered.recorded_at is not None
    sent(campaign_id, silent, now() - timedelta(hours=73))
    [reminded] = [text for kind, text in told(campaign_id, silent) if "no open" in text]
    assert reminded == "no open, 3 d after it was sent → went on to “reminder”"
    acts.pause(TENANT, f"{campaign_id}:{silent}", by=BY, reason="on holiday")
    assert told(campaign_id, silent)[-1] == ("transition", f"paused by {BY}: on holiday")
    with pytest.raises(Gone):
        timeline.of("other", f"{campaign_id}:{silent}")


def test_a_plan_shows_who_is_where_and_its_rules_in_words() -> None:
    opener, silent = contacts(2)
    campaign_id = campaign(PLAN, [opener, silent])
    happened(sent(campaign_id, opener), "opened")
    view = plans.of_campaign(TENANT, campaign_id)
    assert view is not None
    at = {node.id: node for node in view.nodes}
    assert (at["welcome"].here, at["follow-up"].here, at["reminder"].here) == (1, 1, 0)
    assert (at["welcome"].stats.sent, at["welcome"].stats.outcomes["opened"].count) == (1, 0)
    assert [(edge.rule, edge.to) for edge in at["welcome"].edges] == [
        ("opened", "follow-up"),
        ("no open within 3 d", "reminder"),
    ]
    assert at["follow-up"].edges[0].rule == "no click within 1 d"
    assert plans.of_campaign(TENANT, draft(PLAN, []), 1) is not None
    assert plans.of_campaign("other", campaign_id) is None
    with pytest.raises(Gone):
        plans.of_campaign(TENANT, campaign_id, 2)


def test_rates_are_of_what_was_sent_with_how_sure_they_are() -> None:
    ids = contacts(12)
    campaign_id = campaign(PLAN, ids)
    for number, contact_id in enumerate(ids):
        message_id = sent(campaign_id, contact_id)
        fields = {"opened_at": now()} if number < 4 else {}
        fields |= {"state": "unknown"} if number == 10 else {}
        fields |= {"state": "failed", "opened_at": now()} if number == 11 else {}
        if fields:
            collection(OutboundMessage).update_one({"_id": message_id}, {"$set": fields})
    total = stats.of_campaign(TENANT, campaign_id).total
    assert (total.sent, total.unknown, total.failed) == (10, 1, 1)
    opened = total.outcomes["opened"]
    assert (opened.count, opened.of, opened.rate) == (4, 10, 0.4)
    assert (round(opened.low, 3), round(opened.high, 3)) == (0.168, 0.687)
    days = stats.days(TENANT, campaign_id, 3)
    assert len(days) == 3
    assert (days[-1].sent, days[-1].opened, days[0].sent) == (10, 4, 0)
    assert stats.of_campaign("other", campaign_id).total.sent == 0


def test_lists_come_a_page_at_a_time_and_only_to_their_tenant() -> None:
    ids = contacts(5)
    campaign_id = campaign(PLAN, ids)
    for contact_id in ids[:3]:
        sent(campaign_id, contact_id)
    wanted = Filter(campaign_id=campaign_id)
    seen, after = [], ""
    while True:
        page = enrollments.listed(TENANT, 2, after=after, wanted=wanted)
        seen += [one.enrollment["contact_id"] for one in page.rows]
        after = page.next
        if not after:
            break
    assert sorted(seen) == sorted(ids)
    first = messages.listed(TENANT, 2)
    rest = messages.listed(TENANT, 2, after=first.next)
    assert len({one.id for one in first.rows + rest.rows}) == 3
    assert rest.next == ""
    with pytest.raises(ValueError, match="not a place"):
        messages.listed(TENANT, 2, after="nowhere")
    by_address = people.listed(TENANT, search="contact-3").rows
    assert [row["_id"] for row in by_address] == ["contact-3"]
    assert [one.what for one in scheduled.listed(TENANT).rows[:2]] == ["send “welcome”"] * 2
    assert campaigns.find(TENANT, campaign_id).enrollments["active"] == 5
    [one] = senders.listed(TENANT)
    assert one.standing.uses[0].limit == 20
    for read in (enrollments, messages, scheduled, people, campaigns):
        assert read.listed("other").rows == [], read
    assert senders.listed("other") == []
