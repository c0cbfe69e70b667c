"""Whatever happens to enrollments, in whatever order: what is scheduled fits where they are."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import hypothesis.strategies as st
import outreach_rows as rows
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from outreach_rows import BY, TENANT, on, plan, send, wait
from pymongo.client_session import ClientSession

from models import (
    Campaign,
    Enrollment,
    EnrollmentTransition,
    OutboundMessage,
    OutreachEvent,
    ScheduledAction,
)
from models.outreach import ENROLLMENT_OVER
from pipeline.errors import Permanent
from pipeline.outreach import advancing, beats, campaigns, enrollments, timeouts
from pipeline.outreach.transactions import transaction
from pipeline.stores import Row, collection

#: A circle with waits in it, branches, and ends of all kinds.
WINDING = plan(
    send(
        "hello",
        on("clicked", "thanks"),
        on("opened", "rest", after="PT10M"),
        on("bounced", "stop"),
        on("no_open", "again", after="PT2H"),
    ),
    wait("rest", on("clicked", "thanks", within="PT1H"), on("no_click", "again", after="PT3H")),
    send("again", on("replied", "thanks"), on("no_click", "pause", after="PT1H")),
    wait("pause", on("no_open", "hello", after="PT6H"), on("clicked", "end")),
    send("thanks", on("no_open", "stop", after="PT24H")),
    {"id": "end", "action": "stop"},
)
KINDS = ("delivered", "opened", "clicked", "replied", "bounced", "unsubscribed")
_NUMBERS = count()
#: Times of what is kept, by model: time passes by what is kept growing older.
_TIMES: dict[Any, tuple[str, ...]] = {
    Enrollment: ("node_entered_at", "sent_at", "events_from"),
    OutboundMessage: ("sent_at",),
    OutreachEvent: ("occurred_at",),
    ScheduledAction: ("due_at", "planned_at"),
}


class Walks(RuleBasedStateMachine):
    """One campaign with three contacts, to whom anything happens."""

    ids = Bundle("ids")

    @initialize(target=ids)
    def begin(self) -> Any:
        """A campaign under way, and nobody paused."""
        campaigns.resume_tenant(TENANT, by=BY)
        contacts = rows.contacts(3, prefix=f"walker{next(_NUMBERS)}")
        self.campaign = rows.campaign(WINDING, contacts)
        return multiple(*(f"{self.campaign}:{contact}" for contact in contacts))

    @rule(minutes=st.sampled_from((1, 15, 61, 200, 2000)))
    def time_passes(self, minutes: int) -> None:
        """All that is kept is older now."""
        for model, names in _TIMES.items():
            older = {
                name: {
                    "$cond": [
                        {"$eq": [{"$type": f"${name}"}, "date"]},
                        {"$subtract": [f"${name}", minutes * 60_000]},
                        f"${name}",
                    ]
                }
                for name in names
            }
            collection(model).update_many({"campaign_id": self.campaign}, [{"$set": older}])

    @rule(enrollment_id=ids)
    def a_message_is_sent(self, enrollment_id: str) -> None:
        """What the job that sends does, if it may."""
        mine = {"enrollment_id": enrollment_id}
        sends = rows.actions(self.campaign, kind="send", **mine)
        status = (collection(Campaign).find_one({"_id": self.campaign}) or {})["status"]
        if sends and status == "active":
            rows.sent(self.campaign, enrollment_id.partition(":")[2])

    @rule(
        enrollment_id=ids, kind=st.sampled_from(KINDS), part=st.floats(0, 1), which=st.integers(0)
    )
    def an_event_becomes_known(
        self, enrollment_id: str, kind: str, part: float, which: int
    ) -> None:
        """Of any message that was sent, at any time since."""
        mine = {"enrollment_id": enrollment_id}
        messages = list(collection(OutboundMessage).find(mine).sort("_id", 1))
        if messages:
            message = messages[which % len(messages)]
            at = message["sent_at"] + part * (rows.now() - message["sent_at"])
            rows.happened(message["_id"], kind, _whole(at))

    @rule()
    def timers_fire(self) -> None:
        """All that are due."""
        timeouts.fire(TENANT, beats.OVERDUE)

    @rule(enrollment_id=ids, act=st.sampled_from((enrollments.pause, enrollments.resume)))
    def somebody_acts_on_a_contact(self, enrollment_id: str, act: Any) -> None:
        """Refused where it cannot be."""
        _try(act, enrollment_id)

    @rule(enrollment_id=ids)
    def a_contact_is_stopped(self, enrollment_id: str) -> None:
        """For good."""
        _try(enrollments.stop, enrollment_id)

    @rule(act=st.sampled_from((campaigns.pause, campaigns.resume)), settles=st.booleans())
    def somebody_acts_on_the_campaign(self, act: Any, settles: bool) -> None:
        """The settling may come at once, or when the next one does."""
        _try(act, self.campaign)
        if settles:
            rows.settle(self.campaign)

    @rule(act=st.sampled_from((campaigns.pause_tenant, campaigns.resume_tenant)))
    def somebody_acts_on_the_tenant(self, act: Any) -> None:
        """All campaigns of the tenant are held, or let go."""
        act(TENANT, by=BY)

    @rule(enrollment_id=ids)
    def somebody_looks_again(self, enrollment_id: str) -> None:
        """Which changes nothing."""
        before = _kept(self.campaign)
        _advance([enrollment_id])
        _advance([enrollment_id])
        assert _kept(self.campaign) == before or _is_due(self.campaign)

    @invariant()
    def what_is_scheduled_fits(self) -> None:
        """Open actions are of the present state, of those that move, and one send at most."""
        states = {row["_id"]: row for row in _enrollments(self.campaign)}
        sends: Counter[str] = Counter()
        for action in rows.actions(self.campaign):
            row = states[action["enrollment_id"]]
            assert row["status"] == "active", action["_id"]
            assert row["state_version"] == action["state_version"]
            sends[row["_id"]] += action["kind"] == "send"
        assert max(sends.values(), default=0) <= 1

    @invariant()
    def no_transition_is_missing(self) -> None:
        """They are numbered without gaps, each goes on where the last one led, and none is
        from the end."""
        for row in _enrollments(self.campaign):
            mine = {"enrollment_id": row["_id"]}
            found = list(collection(EnrollmentTransition).find(mine).sort("state_version", 1))
            assert [one["state_version"] for one in found] == [
                n + 1 for n in range(row["state_version"])
            ]
            for one, following in pairwise(found):
                assert one["to_status"] == following["from_status"] not in ENROLLMENT_OVER
                assert one["to_node"] == following["from_node"]
            assert found[-1]["to_status"] == row["status"]
            assert found[-1]["to_node"] == row["node_id"]

    def teardown(self) -> None:
        """Once nobody holds them any more, all who are not over have something before them."""
        campaigns.resume_tenant(TENANT, by=BY)
        _try(campaigns.resume, self.campaign)
        rows.settle(self.campaign)
        scheduled = {action["enrollment_id"] for action in rows.actions(self.campaign)}
        for row in _enrollments(self.campaign):
            has_end = row["node_id"] == "rest" or row["status"] != "active"
            assert has_end or row["_id"] in scheduled, row


@pytest.mark.usefixtures("stores")
def test_whatever_happens_what_is_scheduled_fits() -> None:
    few = hypothesis_settings.get_current_profile_name() != "thorough"
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Walks,
        settings=hypothesis_settings(
            max_examples=6 if few else 100, stateful_step_count=20 if few else 50, deadline=None
        ),
    )


def _try(act: Any, target: str) -> None:
    with suppress(Permanent):
        act(TENANT, target, by=BY)


def _advance(ids: list[str]) -> None:
    def work(session: ClientSession) -> None:
        advancing.advance(session, ids, rows.now())

    transaction(work)


def _enrollments(campaign_id: str) -> list[Row]:
    return list(collection(Enrollment).find({"campaign_id": campaign_id}))


def _kept(campaign_id: str) -> Any:
    states = {row["_id"]: row["state_version"] for row in _enrollments(campaign_id)}
    return states, [action["_id"] for action in rows.actions(campaign_id)]


def _is_due(campaign_id: str) -> bool:
    """Whether there was something to be done: a settling, a timer, a canceled action."""
    row = collection(Campaign).find_one({"_id": campaign_id}) or {}
    due = collection(ScheduledAction).find_one(
        {"campaign_id": campaign_id, "due_at": {"$lte": rows.now()}, "kind": "timeout"}
    )
    return "settle_due_at" in row or due is not None


def _whole(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=moment.microsecond % 1000)
