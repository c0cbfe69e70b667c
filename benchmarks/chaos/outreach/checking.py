"""What must hold in the end, whatever went wrong on the way: the inbox against our rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from benchmarks.chaos.findings import Findings
from benchmarks.chaos.outreach.cast import Cast, Member
from benchmarks.chaos.outreach.playing import Done
from benchmarks.chaos.outreach.zones import QUIET_END, QUIET_START
from models.outreach import (
    ACTION_OPEN,
    ENROLLMENT_OVER,
    Enrollment,
    EnrollmentTransition,
    OutboundMessage,
    OutreachDelivery,
    OutreachEvent,
    ScheduledAction,
)
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection

#: What was handed over before a stop may arrive so much after it.
_ON_ITS_WAY = timedelta(seconds=2)
#: In how many of our states a message of which the provider has one may be: none but these.
_MAY_BE_THERE = ("sent", "unknown")


@dataclass(slots=True, kw_only=True)
class Verdict(Findings):
    """What was found: complaints, and counts by what was counted."""

    places: int = 0
    contacts: int = 0
    received: int = 0
    events: int = 0
    transitions: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Received:
    """One message in the sandbox's inbox."""

    at: datetime
    status: str


#: By enrollment and node.
Inbox = dict[tuple[str, str], list[Received]]


def unrest(cast: Cast) -> dict[str, int]:
    """Return how much is on its way, by what it is: nothing once everybody is at an end, or held
    by a message of which nobody knows whether it was sent."""
    whose = {"tenant_id": {"$in": cast.tenant_ids}}
    held = {"$nin": list(_held(cast))}
    under_way = {"status": {"$nin": list(ENROLLMENT_OVER)}, "_id": held}
    due = {"status": {"$in": list(ACTION_OPEN)}, "enrollment_id": held}
    counts = {
        "contacts under way": collection(Enrollment).count_documents(whose | under_way),
        "actions open": collection(ScheduledAction).count_documents(whose | due),
        "messages sending": collection(OutboundMessage).count_documents(
            whose | {"state": "sending"}
        ),
        "deliveries open": collection(OutreachDelivery).count_documents({"open": True}),
    }
    return {what: count for what, count in counts.items() if count}


def _held(cast: Cast) -> set[str]:
    """Return the enrollments of which a message may have been sent, or not."""
    unknown = {"tenant_id": {"$in": cast.tenant_ids}, "state": "unknown"}
    return set(collection(OutboundMessage).distinct("enrollment_id", unknown))


def check(seed: int, cast: Cast, done: Iterable[Done], sandbox: SandboxClient) -> Verdict:
    """Compare all that was received with what we have written, and with what must not be."""
    found = Verdict(seed=seed, contacts=len(cast.members))
    inbox = _inbox(cast, sandbox)
    found.received = sum(map(len, inbox.values()))
    rows = _by_enrollment(OutboundMessage, cast)
    transitions = _by_enrollment(EnrollmentTransition, cast)
    events = _by_enrollment(OutreachEvent, cast)
    states = {row["_id"]: row for row in _rows(Enrollment, cast)}
    for enrollment_id, member in cast.members.items():
        look = _Look(
            member,
            states.get(enrollment_id, {}),
            rows[enrollment_id],
            sorted(transitions[enrollment_id], key=lambda row: int(row["state_version"])),
            events[enrollment_id],
            {node: got for (whose, node), got in inbox.items() if whose == enrollment_id},
        )
        found.complaints += [f"{member.contact.name}: {problem}" for problem in look.problems()]
        found.unknown += look.unknown()
        found.ends[str(look.state.get("status"))] += 1
        found.messages.update(str(row["state"]) for row in look.messages)
        found.transitions += len(look.transitions)
        found.events += len(look.events)
    found.complaints += _during_pauses(cast, done, inbox)
    return found


def _rows(model: type, cast: Cast) -> Iterator[Row]:
    yield from collection(model).find({"tenant_id": {"$in": cast.tenant_ids}})


def _by_enrollment(model: type, cast: Cast) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _rows(model, cast):
        grouped[str(row["enrollment_id"])].append(row)
    return grouped


def _inbox(cast: Cast, sandbox: SandboxClient) -> Inbox:
    """Return what everybody got; each message says in its first line which node it is from."""
    inbox: Inbox = defaultdict(list)
    whose = {
        address: enrollment_id
        for enrollment_id, member in cast.members.items()
        for address in (member.contact.email, member.contact.phone)
    }
    for entry in sandbox.inbox():
        enrollment_id = whose.get(entry["to"])
        if enrollment_id is None:
            continue  # of an earlier seed
        node = (entry["subject"] or entry["text"]).split()[1]
        received = Received(datetime.fromisoformat(entry["received_at"]), entry["status"])
        inbox[enrollment_id, node].append(received)
    return inbox


@dataclass(frozen=True, slots=True)
class _Look:
    """One enrollment: its rows, and what its contact got, by node."""

    member: Member
    state: Row
    messages: list[Row]
    transitions: list[Row]
    events: list[Row]
    inbox: dict[str, list[Received]]

    def problems(self) -> list[str]:
        return [
            *self._how_often(),
            *self._in_the_night(),
            *self._after_the_end(),
            *self._ways(),
            *self._timers(),
            *self._untold(),
        ]

    def unknown(self) -> list[str]:
        """Return how it stands with messages of which nobody knows whether they were sent."""
        return [
            f"{self.member.contact.name} {row['node_id']}: {row.get('reconciliation')}"
            for row in self.messages
            if row["state"] == "unknown"
        ]

    def _how_often(self) -> Iterator[str]:
        by_node = {str(row["node_id"]): row for row in self.messages}
        for node, got in self.inbox.items():
            if len(got) > 1:
                yield f"{node} was received {len(got)} times"
            state = by_node.get(node, {}).get("state")
            if state not in _MAY_BE_THERE:
                yield f"{node} was received and is {state}"
        for node, row in by_node.items():
            if row["state"] == "sent" and not self.inbox.get(node):
                yield f"{node} is sent, and nobody got it"
            if row["state"] == "unknown" and not row.get("reconciliation"):
                yield f"{node} is unknown, and nothing says how that stands"

    def _in_the_night(self) -> Iterator[str]:
        zone = ZoneInfo(self.member.zone)
        for node, got in self.inbox.items():
            for one in got:
                shown = one.at.astimezone(zone).strftime("%H:%M")
                if QUIET_START <= shown < QUIET_END:
                    yield f"{node} came at {shown} of their night"

    def _after_the_end(self) -> Iterator[str]:
        over = [row for row in self.transitions if row["to_status"] in ENROLLMENT_OVER]
        for end in over:
            for node, got in self.inbox.items():
                for one in got:
                    late = one.at - end["recorded_at"]
                    if late > _ON_ITS_WAY:
                        yield f"{node} came {late.total_seconds():.1f} s after {end['trigger']}"
        if len(over) > 1 or (over and over[-1] is not self.transitions[-1]):
            yield "something followed the end"

    def _ways(self) -> Iterator[str]:
        versions = [int(row["state_version"]) for row in self.transitions]
        if versions != list(range(1, len(versions) + 1)):
            yield f"versions of the state: {versions}"
        for before, after in zip(self.transitions, self.transitions[1:], strict=False):
            if before["to_status"] != after["from_status"]:
                yield f"{before['to_status']} became {after['from_status']}"
            if before["occurred_at"] > after["occurred_at"]:
                yield f"time went back at {after['trigger']}"
        if self.state.get("status") not in ENROLLMENT_OVER and not self.unknown():
            yield f"it is left {self.state.get('status')} at {self.state.get('node_id')}"

    def _timers(self) -> Iterator[str]:
        """Timers end when stated, and not if what they wait for was known."""
        sent = {str(row["node_id"]): row.get("sent_at") for row in self.messages}
        entered: datetime | None = None
        for row in self.transitions:
            if str(row["trigger"]).startswith("no_"):
                node = str(row["from_node"])
                began = sent.get(node) if self.member.sends(node) else entered
                stated = self.member.after(node, str(row["trigger"]))
                if began is None or row["occurred_at"] - began != stated:
                    yield f"{row['trigger']} at {node} not {stated} after {began}"
            entered = row["occurred_at"]

    def _untold(self) -> Iterator[str]:
        """What was delivered is told by providers that tell it, and we know of it once."""
        told = Counter(row["message_id"] for row in self.events if row["type"] == "delivered")
        if self.member.kind == "smtp":
            return
        for row in self.messages:
            got = self.inbox.get(str(row["node_id"]), [])
            delivered = sum(one.status == "delivered" for one in got)
            if told[row["_id"]] != delivered:
                yield f"{row['node_id']}: delivered {delivered}, told {told[row['_id']]} times"


def _during_pauses(cast: Cast, done: Iterable[Done], inbox: Inbox) -> Iterator[str]:
    for act in done:
        for enrollment_id in act.enrollment_ids:
            for (whose, node), got in inbox.items():
                if whose != enrollment_id:
                    continue
                for one in got:
                    if act.begun + _ON_ITS_WAY < one.at < act.over:
                        name = cast.members[enrollment_id].contact.name
                        yield f"{name}: {node} came while {act.deed}"
