"""What the consistency check finds, and that it finds nothing where all is well."""

from __future__ import annotations

import pytest
from probes import Hand, Probes, queue, send

from pipeline.errors import Permanent
from pipeline.jobs import consistency, controls, layout
from pipeline.stores import redis_client

QUEUE = queue(one_per="mailbox")


@pytest.fixture
def ids(probes: Probes) -> dict[str, str]:
    """A job in every state; message ids by state."""
    probes.add("note", QUEUE, "mailbox_id", "key")
    hand = Hand()
    sent = {}
    for state in ("completed", "failed", "running"):
        sent[state] = send("note", state, "k", tenant_id="acme").message_id
        proxy = hand.one(QUEUE)
        if state == "completed":
            hand.end(proxy)
        elif state == "failed":
            hand.end(proxy, Permanent("no"))
    sent["delayed"] = send("note", "later", "k", delay_seconds=600).message_id
    sent["waiting"] = send("note", "now", "k", tenant_id="acme").message_id
    return sent


def test_jobs_in_every_state_agree(ids: dict[str, str]) -> None:
    assert consistency.check() == []


def test_closed_lanes_and_pauses_agree(ids: dict[str, str]) -> None:
    send("note", "running", "behind the one that runs")
    controls.pause("tenant:acme", reason="test", by="test")
    assert Hand("other").fetch(QUEUE, 10) == []
    assert consistency.check() == []


#: What is broken: a Redis command whose key is without prefix, and what is found then.
BROKEN = {
    "a live id without a run": (
        ("HSET", "live", "note:x", "gone"),
        "names gone, of which nothing is kept",
    ),
    "a live id whose run has ended": (
        ("HSET", "live", "note:completed:k", "{completed}"),
        "which is completed",
    ),
    "a live id with the run of another": (
        ("HSET", "live", "note:x", "{waiting}"),
        "which is of note:now:k",
    ),
    "a waiting job that is not live": (
        ("HDEL", "live", "note:now:k"),
        "does not name it",
    ),
    "a job in two states": (
        ("ZADD", "probe:delayed", "1", "{waiting}"),
        "but in probe:waiting and probe:delayed",
    ),
    "a run that history forgot": (
        ("ZREM", "probe:completed", "{completed}"),
        "is completed on probe, but in no sorted set",
    ),
    "a place without a run": (
        ("DEL", "job:{failed}"),
        "is in probe:failed, but nothing else is kept of it",
    ),
    "a waiting job in no lane": (
        ("DEL", "probe:lane:tenant:acme\nmailbox:now"),
        "waits on probe in no lane",
    ),
    "a job twice in its lane": (
        ("RPUSH", "probe:lane:tenant:acme\nmailbox:now", "{waiting}"),
        "is 2 times in the lanes of probe",
    ),
    "a job in a strange lane": (
        ("RPUSH", "probe:lane:mailbox:x", "{waiting}"),
        "which is not its own",
    ),
    "a delayed job in a lane": (
        ("RPUSH", "probe:lane:mailbox:later", "{delayed}"),
        "waits in a lane of probe only",
    ),
    "a lane that no ring has": (
        ("DEL", "probe:lanes:acme"),
        "is missing in the ring of lanes of probe",
    ),
    "a tenant that no ring has": (
        ("DEL", "probe:tenants"),
        "'acme' is missing in the ring of tenants of probe",
    ),
    "an empty lane in a ring": (
        ("RPUSH", "probe:lanes:acme", "tenant:acme\nmailbox:x"),
        "is in the ring of lanes of probe without reason",
    ),
    "a lane in the ring of another tenant": (
        ("RPUSH", "probe:lanes:rival", "tenant:acme\nmailbox:x"),
        "is in the ring of tenant 'rival'",
    ),
    "a running job that nobody holds": (
        ("DEL", "running:hand"),
        "no worker holds its latest delivery",
    ),
    "a job held by two workers": (
        ("SADD", "running:other", "{running} 1"),
        "is held by 2 workers",
    ),
    "a holder of what does not run": (
        ("SADD", "running:hand", "{waiting} 1"),
        "1, which is waiting",
    ),
    "a holder that never beat": (
        ("ZREM", "workers", "hand"),
        "its silence would never be noticed",
    ),
    "a scope that stays busy": (
        ("HSET", "probe:busy", "mailbox:x", "1"),
        "1 jobs of mailbox:x count as running on probe, not 0",
    ),
    "a living job in the outbox": (
        ("RPUSH", "outbox", "{waiting}"),
        "shall become a dead letter, but it is waiting",
    ),
    "a suspect that has ended": (
        ("HSET", "suspects", "{completed}", ""),
        "is a suspect, but it is completed",
    ),
    "a suspect that runs with nobody": (
        ("HSET", "suspects", "{running}", ""),
        "is running, but noted with worker none",
    ),
    "a waiting suspect with a worker": (
        ("HSET", "suspects", "{waiting}", "hand"),
        "is waiting, but noted with worker hand",
    ),
    "log lines of nobody": (
        ("RPUSH", "log:gone", "line"),
        "log of gone are kept, but nothing else of it",
    ),
    "an unknown key": (
        ("SET", "probe:oddity", "1"),
        "key probe:oddity has no place in layout.py",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_contradiction_is_found(ids: dict[str, str], case: str) -> None:
    (command, key, *args), finding = BROKEN[case]
    key = f"{layout.PREFIX}{key}"
    redis_client().execute_command(command, *(part.format(**ids) for part in (key, *args)))
    assert any(finding in text for text in consistency.check())
