"""One campaign from its contacts' file to its readers' clicks, each part timed by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.outreach import people
from benchmarks.outreach.memory import Watch
from benchmarks.outreach.posting import EVENTS, Poster, events_of
from benchmarks.queue.measure import Results, rounded
from benchmarks.web.stage import Stage
from models.outreach import Enrollment, OutboundMessage, OutreachDelivery
from pipeline.outreach import campaign_status
from pipeline.stores import collection

#: The first one shows what memory begins with.
SHARES = (0.1, 1.0)
_LOOK_SECONDS = 0.2
_SECONDS_PER_CONTACT, _LEAST_SECONDS = 0.1, 300.0
_MORE_MEMORY_MIB = 64


def time_campaign(stage: Stage, contacts: int, poster: Poster) -> Results:
    """Return the rates of a campaign of `contacts`, and the memory of workers as it grows."""
    peaks: list[float] = []
    results: Results = {}
    for share in SHARES:
        people.start_over()
        stage.sandbox.clear_outreach()
        with stage.workers(), Watch() as watch:
            results = _run(stage, max(1, int(share * contacts)), poster)
        peaks.append(watch.peak_mib)
    small, large = peaks
    return results | {
        "worker_peak_mib_at_a_tenth": {"value": rounded(small, 0)},
        "worker_peak_mib": {
            "value": rounded(large, 0),
            "target": f"at most {_MORE_MEMORY_MIB} more",
            "met": large - small <= _MORE_MEMORY_MIB,
        },
    }


def _run(stage: Stage, contacts: int, poster: Poster) -> Results:
    stage.log(f"{contacts:,} contacts: import")
    imported = _timed(lambda: people.bring_in(contacts))
    campaign_id = ""

    def enroll() -> None:
        nonlocal campaign_id
        campaign_id = people.draft("rates", _plan())

    enrolled = _timed(enroll)
    patience = max(_LEAST_SECONDS, _SECONDS_PER_CONTACT * contacts)
    stage.log(f"{contacts:,} contacts: activation and sending")
    begun = time.monotonic()
    campaign_status.activate(people.TENANT, campaign_id, by=people.BY)
    _until(lambda: _count(Enrollment, campaign_id, status="pending") == 0, patience)
    started = time.monotonic() - begun
    _until(lambda: _count(OutboundMessage, campaign_id, state="sent") == contacts, patience)
    sent = time.monotonic() - begun
    stage.log(f"{contacts:,} contacts: {len(EVENTS)} events each")
    begun = time.monotonic()
    events = poster.post(stage.url, events_of(campaign_id))
    taken = time.monotonic() - begun
    _until(lambda: _count(Enrollment, campaign_id, status="completed") == contacts, patience)
    _until(lambda: collection(OutreachDelivery).count_documents({"open": True}) == 0, patience)
    heard = time.monotonic() - begun
    return {
        "contacts_imported_per_s": {"value": rounded(contacts / imported, 0)},
        "enrolled_per_s": {"value": rounded(contacts / enrolled, 0)},
        "activated_per_s": {"value": rounded(contacts / started, 0)},
        "messages_per_s": {"value": rounded(contacts / sent, 0)},
        "events_taken_in_per_s": {"value": rounded(events / taken, 0)},
        "events_per_s": {"value": rounded(events / heard, 0)},
    }


def _plan() -> dict[str, Any]:
    """Return a plan in which each of three events moves a contact on."""
    return people.plan(
        [
            people.mail("first", {"on": "delivered", "to": "look"}),
            people.wait("look", opened="read", no_open="second"),
            people.wait("read", clicked="stop", no_click="second"),
            people.mail("second", {"on": "no_click", "to": "stop", "after": "P9D"}),
        ]
    )


def _count(model: type[Enrollment | OutboundMessage], campaign_id: str, **wanted: str) -> int:
    return collection(model).count_documents({"campaign_id": campaign_id, **wanted})


def _timed(work: Callable[[], None]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def _until(seen: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long; see the logs in the folder of this run")
        time.sleep(_LOOK_SECONDS)
