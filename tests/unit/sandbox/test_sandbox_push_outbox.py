"""What waits to be told, while nobody delivers it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.sandbox.changes import Put
from pipeline.sandbox.generate import Size
from pipeline.sandbox.population import add_user
from pipeline.sandbox.push import outbox
from pipeline.sandbox.push.watches import CALENDAR_API, LONGEST_MS, Watch
from pipeline.sandbox.store import Store

CALENDAR = "google_calendar"
PRIMARY = "events/ada@sandbox.example"


@pytest.fixture
def store():
    made = Store(":memory:")
    add_user(made, "ada", 1, Size(1, 0, 0, 0, 0, 0))
    yield made
    made.close()


def channel(store: Store) -> Watch:
    details = {"address": "https://headrace.example/", "token": None}
    expires_ms = store.clock.now_ms() + LONGEST_MS
    user_n = store.user("ada").n
    return store.outbox.watches.add(CALENDAR_API, user_n, PRIMARY, "c1", expires_ms, details)


def write(store: Store, summary: str = "Lunch") -> None:
    times = {"start": {"date": "2026-03-01"}, "end": {"date": "2026-03-02"}}
    item = {"status": "confirmed", "summary": summary} | times
    store.apply("ada", Put(CALENDAR, PRIMARY, "lunch", item), datetime.now(UTC))


def test_nothing_waits_for_those_who_do_not_watch(store):
    write(store)
    assert store.outbox.waiting() == 0
    assert not store.outbox.watches.any_of(store.user("ada").n)


def test_no_more_than_a_bound_wait_and_the_last_is_told_after_every_change(store, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_WAITING", 5)
    watch = channel(store)
    for number in range(20):
        write(store, f"Lunch {number}")
    assert store.outbox.waiting() == 5
    head = store.outbox.head(watch.n)
    assert head is not None
    store.outbox.finish(head, outbox.Outcome.SENT)
    write(store, "Dinner")
    assert store.outbox.waiting() == 5


def test_a_change_that_is_refused_is_not_told(store):
    watch = channel(store)
    wrong = {"recurringEventId": "nothing", "start": {"date": "2026-03-01"}}
    with pytest.raises(ValueError, match="no such series"):
        store.apply("ada", Put(CALENDAR, PRIMARY, "lunch", wrong), datetime.now(UTC))
    assert store.outbox.head(watch.n) is None


def test_whoever_delivers_is_woken(store):
    watch = channel(store)
    woken: list[int] = []
    store.outbox.wake = lambda watch_n, _due_ms: woken.append(watch_n)
    write(store)
    assert woken == [watch.n]
    assert store.outbox.watches_waiting() == [watch.n]


def test_a_watch_tells_what_it_is_without_its_secrets(store):
    assert set(channel(store).described()) == {
        *("api", "stream", "name", "number", "silent", "ended", "expires")
    }
