"""What a sync writes of its cadence, and until when the copy counts as fresh."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from copies import CONTACTS, Copy

from models import SyncState
from pipeline import freshness
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync import states

Setting = Callable[..., None]
TARGET = timedelta(seconds=900)
SOON = timedelta(seconds=60)


def change(copy: Copy, **fields: Any) -> None:
    """Set fields of the contacts' state."""
    key = {"user_id": copy.user_id, "source": CONTACTS}
    collection(SyncState).update_one(key, {"$set": fields})


def fresh(copy: Copy) -> int:
    """Return of how many users the fleet's numbers say that their contacts are fresh."""
    now = datetime.now(UTC)
    [found] = [one for one in freshness.by_source(now) if one.source == CONTACTS]
    assert found.fresh == freshness.is_fresh(copy.state(CONTACTS), now)
    return found.fresh


def test_a_state_that_was_never_synced_is_not_fresh_also_when_it_is_asked_for(copy: Copy) -> None:
    assert fresh(copy) == 0
    assert states.request(copy.user_id, CONTACTS)
    assert fresh(copy) == 0


def test_a_first_sync_promises_the_target_and_is_due_within_the_base_interval(copy: Copy) -> None:
    copy.sync(CONTACTS)
    state = copy.state(CONTACTS)
    assert state["stale_at"] == state["fresh_as_of"] + TARGET
    assert state["cadence"]["why"] == "new"
    assert state["cadence"]["interval_seconds"] == 720
    assert state["next_due_at"] - datetime.now(UTC) <= timedelta(seconds=720 * 1.02)
    assert fresh(copy) == 1


def test_a_quiet_user_is_fresh_for_as_long_as_the_cadence_promises(copy: Copy) -> None:
    copy.sync(CONTACTS)
    change(copy, **{"cadence.rated_at": datetime.now(UTC) - timedelta(hours=12)})
    copy.sync(CONTACTS)
    state = copy.state(CONTACTS)
    assert state["cadence"]["why"] == "quiet"
    assert state["stale_at"] == state["fresh_as_of"] + timedelta(seconds=4500)


def test_news_must_be_fetched_within_the_target_however_quiet_the_user(copy: Copy) -> None:
    copy.sync(CONTACTS)
    change(copy, stale_at=datetime.now(UTC) + timedelta(hours=1))
    assert states.request(copy.user_id, CONTACTS, pushed=True)
    state = copy.state(CONTACTS)
    assert state["pushed_at"] == state["requested_at"]
    assert state["stale_at"] == state["requested_at"] + TARGET


def test_a_request_does_not_prolong_a_promise(copy: Copy) -> None:
    copy.sync(CONTACTS)
    before = datetime.now(UTC).replace(microsecond=0) + SOON
    change(copy, stale_at=before)
    states.request(copy.user_id, CONTACTS)
    assert copy.state(CONTACTS)["stale_at"] == before


def test_news_during_a_run_shorten_what_that_run_promises(copy: Copy) -> None:
    copy.sync(CONTACTS)
    change(copy, **{"cadence.rated_at": datetime.now(UTC) - timedelta(hours=12)})
    copy.sandbox.fault("slow", times=1, params={"seconds": 0.5})
    asked: list[datetime] = []

    def ask(_share: float, _words: str) -> None:
        states.request(copy.user_id, CONTACTS)
        asked.append(copy.state(CONTACTS)["requested_at"])

    copy.sync(CONTACTS, full=True, progress=ask)
    assert copy.state(CONTACTS)["cadence"]["why"] == "quiet"
    assert copy.state(CONTACTS)["stale_at"] == asked[-1] + TARGET


def test_what_is_asked_for_counts_as_one_change_and_nothing_as_none(
    copy: Copy, sandbox: SandboxClient
) -> None:
    copy.sync(CONTACTS)
    copy.sync(CONTACTS)
    assert copy.state(CONTACTS)["cadence"]["changed_at"] is None
    sandbox.mutate(seed=2, changes=400)
    assert copy.sync(CONTACTS).counts.changed
    state = copy.state(CONTACTS)
    assert state["cadence"]["changed_at"] == state["fresh_as_of"]


def test_a_pushed_source_is_polled_slowly_until_the_push_may_have_ended(
    copy: Copy, setting: Setting
) -> None:
    setting(PUSH_POLL_SECONDS=7200)
    copy.sync(CONTACTS)
    ends = datetime.now(UTC) + SOON
    assert states.push_changed(copy.user_id, CONTACTS, ends)
    copy.sync(CONTACTS)
    state = copy.state(CONTACTS)
    assert (state["cadence"]["why"], state["cadence"]["interval_seconds"]) == ("pushed", 7200)
    assert state["next_due_at"] <= ends + timedelta(seconds=720 * 1.02)
    assert state["stale_at"] <= ends + TARGET
    states.push_changed(copy.user_id, CONTACTS, ends + timedelta(days=7))
    copy.sync(CONTACTS)
    state = copy.state(CONTACTS)
    assert state["stale_at"] == state["fresh_as_of"] + timedelta(seconds=9000)


@pytest.mark.parametrize("until", [None, datetime(2026, 1, 1, tzinfo=UTC)])
def test_when_push_ends_the_state_is_due_as_if_there_had_been_none(
    copy: Copy, setting: Setting, until: datetime | None
) -> None:
    setting(PUSH_POLL_SECONDS=86_400)
    copy.sync(CONTACTS)
    states.push_changed(copy.user_id, CONTACTS, datetime.now(UTC) + timedelta(days=7))
    copy.sync(CONTACTS)
    change(copy, next_due_at=datetime.now(UTC) + timedelta(hours=20))
    assert states.push_changed(copy.user_id, CONTACTS, until)
    state, now = copy.state(CONTACTS), datetime.now(UTC)
    assert state["next_due_at"] <= now + timedelta(seconds=720 * 1.02)
    assert state["stale_at"] <= now + TARGET
    assert (state["cadence"]["why"], state["live_push_until"]) == ("new", None)


def test_push_that_ends_during_a_run_is_not_counted_on_by_that_run(
    copy: Copy, setting: Setting
) -> None:
    setting(PUSH_POLL_SECONDS=86_400)
    copy.sync(CONTACTS)
    states.push_changed(copy.user_id, CONTACTS, datetime.now(UTC) + timedelta(days=7))
    copy.sync(CONTACTS, full=True, progress=lambda *_: ended(copy))
    assert copy.state(CONTACTS)["next_due_at"] <= datetime.now(UTC)


def ended(copy: Copy) -> None:
    states.push_changed(copy.user_id, CONTACTS, None)


def test_the_end_of_push_wakes_nobody_who_waits_for_a_person(copy: Copy) -> None:
    change(copy, status="needs_reauth", next_due_at=None)
    states.push_changed(copy.user_id, CONTACTS, None)
    assert copy.state(CONTACTS)["next_due_at"] is None
    assert not states.push_changed("nobody", CONTACTS, None)


def test_a_row_from_before_cadences_is_fresh_for_the_target(copy: Copy) -> None:
    copy.sync(CONTACTS)
    unset = {"$unset": {"stale_at": 1, "cadence": 1}}
    collection(SyncState).update_many({}, unset)
    assert fresh(copy) == 1
    states.request(copy.user_id, CONTACTS)
    assert "stale_at" not in copy.state(CONTACTS)
    change(copy, fresh_as_of=datetime.now(UTC) - TARGET)
    assert fresh(copy) == 0


def test_a_source_whose_cursors_are_forgotten_is_listed_anew_and_loses_nothing(
    copy: Copy,
) -> None:
    copy.sync(CONTACTS)
    generation = next(iter(copy.state(CONTACTS)["streams"].values()))["generation"]
    before = copy.live(CONTACTS)
    assert states.forget_cursors(copy.user_id, CONTACTS)
    report = copy.sync(CONTACTS)
    assert report.counts.unchanged == len(before)
    assert next(iter(copy.state(CONTACTS)["streams"].values()))["generation"] == generation + 1
    assert copy.live(CONTACTS) == before
    assert not states.forget_cursors("nobody", CONTACTS)
