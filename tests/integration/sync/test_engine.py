"""What becomes of a run that is late, doubled, stopped in the middle, or told to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from copies import CALENDAR, CONTACTS, GMAIL, TASKS, Copy, connected

from models import Record, SyncRun, SyncState
from pipeline.connect import connect_google
from pipeline.errors import LeaseLost, Misconfigured, Transient
from pipeline.sandbox.client import SandboxClient
from pipeline.sources import SOURCES
from pipeline.sources.base import Page
from pipeline.stores import collection
from pipeline.sync import engine, states
from pipeline.sync.dry_run import dry_run
from pipeline.sync.landing import Lander

Setting = Callable[..., None]
BIG = {"calendars": 1, "events": 1200, "contacts": 50}


def landed(copy: Copy) -> int:
    return collection(Record).count_documents({"user_id": copy.user_id, "deleted_at": None})


def test_a_sync_that_is_not_due_is_left_alone(copy: Copy) -> None:
    copy.sync(CONTACTS)
    assert engine.sync(copy.user_id, CONTACTS).outcome == "not_due"


def test_only_one_of_two_syncs_at_once_runs(copy: Copy) -> None:
    copy.sandbox.fault("slow", times=1, params={"seconds": 1})
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(copy.sync(CONTACTS).outcome))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["not_due", "not_due", "not_due", "succeeded"]


def test_a_run_that_lost_its_lease_can_change_nothing(copy: Copy) -> None:
    stalled = states.claim(copy.user_id, CONTACTS, force=True)
    assert stalled is not None
    collection(SyncState).update_one(
        {"_id": stalled.state["_id"]}, {"$set": {"lease_until": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    copy.sync(CONTACTS)
    before = list(collection(Record).find().sort("_id"))
    state = copy.state(CONTACTS)
    lander = Lander(copy.user_id, SOURCES[CONTACTS])
    page = Page(upserts={"people/c1": {"resourceName": "people/c1"}})
    changes = lander.compare("connections", page, None)
    with pytest.raises(LeaseLost):
        lander.land(stalled, "connections", page, changes, lambda _: 1, {}, datetime.now(UTC))
    assert list(collection(Record).find().sort("_id")) == before
    assert copy.state(CONTACTS) == state


def test_an_interrupted_listing_goes_on_where_it_was(sandbox: SandboxClient) -> None:
    copy = connected(sandbox, "big", BIG)
    sandbox.fault("short_pages", match={"method": "*events.list"}, times=1000,
                  params={"size": 100})  # fmt: skip
    whole = copy.sync(CALENDAR).calls
    reset(copy)
    sandbox.clear_faults()
    failing = {"method": "*events.list", "path": "*"}
    sandbox.fault("short_pages", match=failing, times=5, params={"size": 100})
    sandbox.fault("status", match=failing, times=20, params={"code": 503})
    with pytest.raises(Transient):
        copy.sync(CALENDAR)
    assert 0 < landed(copy) < 1200
    assert copy.state(CALENDAR)["status"] == "error"
    sandbox.clear_faults()
    sandbox.fault("short_pages", match=failing, times=1000, params={"size": 100})
    assert copy.sync(CALENDAR).calls < whole
    copy.sync_all()
    assert copy.verdict().mongodb == 0


def test_a_listing_that_goes_on_in_a_later_run_ends_with_what_changed_meanwhile(
    sandbox: SandboxClient,
) -> None:
    copy = connected(sandbox, "big", BIG)
    events = {"method": "*events.list"}
    sandbox.fault("short_pages", match=events, times=5, params={"size": 100})
    sandbox.fault("status", match=events, times=20, params={"code": 503})
    with pytest.raises(Transient):
        copy.sync(CALENDAR)
    sandbox.clear_faults()
    sandbox.mutate(seed=4, changes=60)
    copy.sync_all()
    assert copy.verdict().mongodb == 0


def reset(copy: Copy) -> None:
    """Forget the copy of the calendar, as if it was never synced."""
    collection(Record).delete_many({"user_id": copy.user_id})
    collection(SyncState).delete_many({"user_id": copy.user_id, "source": CALENDAR})
    states.ensure(copy.user_id, CALENDAR, datetime.now(UTC))


def test_an_incomplete_listing_deletes_nothing(sandbox: SandboxClient) -> None:
    copy = connected(sandbox, "big", BIG)
    copy.sync_all()
    before = landed(copy)
    events = {"method": "*events.list"}
    sandbox.fault("short_pages", match=events, times=3, params={"size": 100})
    sandbox.fault("status", match=events, times=20, params={"code": 500})
    with pytest.raises(Transient):
        copy.sync(CALENDAR, full=True)
    assert landed(copy) == before


def test_a_run_without_time_left_is_continued_until_all_is_there(
    sandbox: SandboxClient, setting: Setting
) -> None:
    copy = connected(sandbox, "big", BIG)
    sandbox.fault("short_pages", times=1000, params={"size": 200})
    setting(SYNC_BUDGET_SECONDS=0.001)
    outcomes = []
    while not outcomes or outcomes[-1] == "continued":
        outcomes.append(copy.sync(CALENDAR).outcome)
        assert len(outcomes) < 30
    assert outcomes[-1] == "succeeded"
    assert len(outcomes) > 3
    setting(SYNC_BUDGET_SECONDS=60)
    copy.sync_all()
    assert copy.verdict().mongodb == 0


def test_a_request_during_a_run_is_not_lost(copy: Copy) -> None:
    copy.sandbox.fault("slow", times=1, params={"seconds": 1})
    runner = threading.Thread(target=copy.sync, args=(CONTACTS,))
    runner.start()
    while copy.state(CONTACTS)["status"] != "syncing":
        time.sleep(0.01)
    assert states.request(copy.user_id, CONTACTS)
    runner.join()
    state = copy.state(CONTACTS)
    assert state["status"] == "idle"
    assert state["next_due_at"] <= datetime.now(UTC)


def test_connecting_again_during_a_refused_run_is_not_lost(copy: Copy) -> None:
    copy.sync(CONTACTS)
    copy.sandbox.tokens(copy.user_id, "revoke")
    grant = copy.sandbox.authorized_user(copy.user_id)
    copy.sandbox.fault("slow", match={"api": "oauth"}, times=1, params={"seconds": 1.5})
    runner = threading.Thread(target=copy.sync, args=(CONTACTS,))
    runner.start()
    while copy.state(CONTACTS)["status"] != "syncing":
        time.sleep(0.01)
    connect_google(copy.user_id, grant)
    runner.join()
    assert copy.state(CONTACTS)["status"] == "idle"
    assert engine.sync(copy.user_id, CONTACTS).outcome == "succeeded"


def test_an_abandoned_listing_hides_no_deletion(sandbox: SandboxClient) -> None:
    copy = connected(sandbox, "big", BIG)
    copy.sync_all()
    events = {"method": "*events.list"}
    sandbox.fault("short_pages", match=events, times=3, params={"size": 100})
    sandbox.fault("status", match=events, times=20, params={"code": 500})
    with pytest.raises(Transient):
        copy.sync(CALENDAR, full=True)
    sandbox.clear_faults()
    [stream] = [s for s in copy.state(CALENDAR)["streams"].values() if s["name"] != "calendars"]
    for event_id in copy.ids(CALENDAR, stream["name"])[:20]:
        sandbox.remove(copy.user_id, CALENDAR, stream["name"], event_id)
    sandbox.expire_cursors(copy.user_id)
    copy.sync(CALENDAR, full=True)
    copy.sync_all()
    assert copy.verdict().mongodb == 0


@pytest.mark.parametrize("code", [500, 503])
def test_a_failing_provider_is_tried_again_ever_more_slowly(copy: Copy, code: int) -> None:
    copy.sandbox.fault("status", times=100, params={"code": code})
    pauses = []
    for _ in range(3):
        with pytest.raises(Transient):
            copy.sync(CONTACTS)
        state = copy.state(CONTACTS)
        pauses.append((state["next_due_at"] - datetime.now(UTC)).total_seconds())
    assert state["status"] == "error"
    assert state["last_error"]["class"] == "Transient"
    assert [round(pause) for pause in pauses] == [1, 2, 4]


def test_a_limit_of_the_provider_defers_to_the_moment_it_names(copy: Copy) -> None:
    copy.sandbox.fault("status", times=3, params={"code": 429, "retry_after": 40})
    report = copy.sync(CONTACTS)
    assert report.outcome == "rate_limited"
    assert report.again_in_seconds == pytest.approx(40, abs=5)
    state = copy.state(CONTACTS)
    wait = (state["next_due_at"] - datetime.now(UTC)).total_seconds()
    assert wait == pytest.approx(40, abs=5)
    assert (state["status"], state["consecutive_failures"]) == ("rate_limited", 0)


def test_a_wrong_key_is_the_operators_business(copy: Copy, setting: Setting) -> None:
    from pipeline.clients.keyring import new_key

    setting(ENCRYPTION_KEYS=new_key().replace(":", "-other:"))
    with pytest.raises(Misconfigured):
        copy.sync(CONTACTS)
    state = copy.state(CONTACTS)
    assert state["status"] == "error"
    assert state["next_due_at"] is not None


def test_every_run_leaves_its_history(copy: Copy) -> None:
    copy.sync(CONTACTS)
    run = collection(SyncRun).find_one({"user_id": copy.user_id})
    assert run is not None
    assert (run["outcome"], run["created"]) == ("succeeded", 40)
    assert run["expires_at"] > datetime.now(UTC) + timedelta(days=10)


def test_a_listing_tells_how_far_it_is_without_personal_data(sandbox: SandboxClient) -> None:
    copy = connected(sandbox, "big", BIG)
    sandbox.fault("short_pages", times=1000, params={"size": 300})
    told: list[tuple[float, str]] = []
    for source in (CALENDAR, CONTACTS):
        copy.sync(source, progress=lambda share, words: told.append((share, words)))
    assert (0.0, "calendars: 1 so far") in told
    assert (0.0, "events: 600 so far") in told
    assert (1.0, "connections: 50 of about 50") in told
    assert all(0 <= share <= 1 and "@" not in words for share, words in told)


def test_a_report_knows_the_tenant_of_the_user(copy: Copy) -> None:
    collection(SyncState).update_many({}, {"$set": {"tenant_id": "acme"}})
    assert copy.sync(CONTACTS).tenant_id == "acme"
    collection(SyncState).update_many({}, {"$unset": {"tenant_id": 1}})
    assert copy.sync(CONTACTS).tenant_id == "default"


def test_freshness_counts_from_the_start_of_the_run(copy: Copy) -> None:
    before = datetime.now(UTC)
    copy.sandbox.fault("slow", times=1, params={"seconds": 1})
    copy.sync(CONTACTS)
    fresh_as_of = copy.state(CONTACTS)["fresh_as_of"]
    assert timedelta() <= fresh_as_of - before + timedelta(milliseconds=1) < timedelta(seconds=0.9)


@pytest.mark.parametrize("source", [CALENDAR, GMAIL, CONTACTS, TASKS])
@pytest.mark.parametrize("full", [False, True])
def test_a_dry_run_says_what_a_sync_would_do_and_does_nothing(
    copy: Copy, source: str, full: bool
) -> None:
    copy.sync(source)
    copy.sandbox.mutate(seed=3, changes=120)
    before: list[dict[str, Any]] = list(collection(Record).find().sort("_id"))
    state = copy.state(source)
    foreseen = dry_run(copy.user_id, source, full=full)
    assert list(collection(Record).find().sort("_id")) == before
    assert copy.state(source) == state
    done = copy.sync(source, full=full)
    assert (foreseen.counts, foreseen.calls) == (done.counts, done.calls)
    assert foreseen.complete
    assert foreseen.units > 0


def test_sequence_numbers_are_used_once_and_published_with_their_records(copy: Copy) -> None:
    for seed in range(3):
        copy.sync(CALENDAR)
        copy.sandbox.mutate(seed=seed, changes=60)
    numbers = [row["seq"] for row in collection(Record).find({"source": CALENDAR})]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) == copy.state(CALENDAR)["seq"]


def test_the_open_transaction_of_a_killed_run_blocks_nobody(copy: Copy) -> None:
    killed = states.claim(copy.user_id, CONTACTS, force=True)
    assert killed is not None
    killed.session.start_transaction()
    killed.write({"records": 7}, killed.session)
    over = datetime.now(UTC) - timedelta(seconds=1)
    # As if the lease had run out: it was read before the transaction began.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "LOCK_WAIT_SECONDS", 0.5)
        patch.setattr(states, "_FREE", {"$lte": [over, "$$NOW"]})
        assert copy.sync(CONTACTS).outcome == "succeeded"
    assert copy.state(CONTACTS)["records"] == 40
