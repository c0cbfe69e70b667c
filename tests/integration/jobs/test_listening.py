"""How soon the dead are told from the living when Redis has been away."""

from __future__ import annotations

import time

import pytest
from probes import Hand, Probes, entry, now_ms, queue, send

from pipeline.config import settings
from pipeline.jobs import layout, recovery
from pipeline.stores import redis_client

QUEUE = queue()


def test_a_sweeper_listens_for_some_beats_and_not_for_the_whole_timeout(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "LISTEN_SECONDS", 0.3)
    probes.add("note", QUEUE, "key")
    message_id = send("note", "a").message_id
    Hand("dead").one(QUEUE)
    silent_ms = settings().worker_timeout_seconds * 1000 + 1
    redis_client().zadd(layout.WORKERS, {"dead": now_ms() - silent_ms})
    sweeper = recovery.Sweeper()
    assert sweeper.sweep() is None
    time.sleep(0.4)
    found = sweeper.sweep()
    assert found is not None
    assert [what for _, what, _ in found.jobs] == ["recovered"]
    assert entry(message_id).state == "waiting"
