"""How late what is due is picked up: timers that end, and messages whose time has come."""

from __future__ import annotations

import time

from benchmarks.outreach import people
from benchmarks.queue.measure import Results, percentile, rounded
from benchmarks.web.stage import Stage
from models.outreach import Enrollment, EnrollmentTransition, OutboundMessage
from pipeline.outreach import campaign_status
from pipeline.stores import collection

P95_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 600.0
#: The first mails are sent as fast as can be, and all of them before a timer ends: what is
#: measured is how late things are at that rate, not twice that rate.
_SECONDS_PER_CONTACT, _LEAST_SECONDS = 0.1, 20
#: What is due later than OUTREACH_PROMOTION_SECONDS waits for a tick, and no scheduler runs here.
_MOST_SECONDS = 80


def time_lateness(stage: Stage, contacts: int) -> Results:
    """Have every contact get a mail, wait for an open in vain, and get another 5 seconds later."""
    people.start_over()
    stage.sandbox.clear_outreach()
    people.bring_in(contacts)
    wait_seconds = min(_LEAST_SECONDS + round(_SECONDS_PER_CONTACT * contacts), _MOST_SECONDS)
    wait = {"on": "no_open", "to": "again", "after": f"PT{wait_seconds}S"}
    first = people.mail("first", wait)
    again = people.mail("again", {"on": "no_open", "to": "stop", "after": "PT5S"})
    again["schedule"] = {"delay": "PT5S"}
    campaign_id = people.draft("late", people.plan([first, again]))
    stage.log(f"{contacts:,} contacts: timers and delayed mails")
    with stage.workers():
        campaign_status.activate(people.TENANT, campaign_id, by=people.BY)
        _wait(campaign_id, contacts)
    timers = collection(EnrollmentTransition).find(
        {"campaign_id": campaign_id, "trigger": "no_open"}
    )
    ended = sorted((row["recorded_at"] - row["occurred_at"]).total_seconds() for row in timers)
    sent = sorted(_delays(campaign_id))
    return _rows("timer", ended) | _rows("send", sent)


def _wait(campaign_id: str, contacts: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    over = {"campaign_id": campaign_id, "status": "completed"}
    while collection(Enrollment).count_documents(over) < contacts:
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long; see the logs in the folder of this run")
        time.sleep(_LOOK_SECONDS)


def _delays(campaign_id: str) -> list[float]:
    """Return how long after their time the second messages were handed over, in seconds."""
    entered = {
        row["enrollment_id"]: row["occurred_at"]
        for row in collection(EnrollmentTransition).find(
            {"campaign_id": campaign_id, "from_node": "first", "to_node": "again"}
        )
    }
    messages = collection(OutboundMessage).find({"campaign_id": campaign_id, "node_id": "again"})
    return [
        (row["handed_over_at"] - entered[row["enrollment_id"]]).total_seconds() - 5
        for row in messages
    ]


def _rows(what: str, late: list[float]) -> Results:
    p95 = percentile(late, 0.95)
    return {
        f"{what}_late_p50_s": {"value": rounded(percentile(late, 0.5), 2)},
        f"{what}_late_p95_s": {
            "value": rounded(p95, 2),
            "target": f"below {P95_SECONDS:g}",
            "met": p95 < P95_SECONDS,
        },
        f"{what}_late_worst_s": {"value": rounded(late[-1], 2)},
    }
