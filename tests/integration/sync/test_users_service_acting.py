"""Acting on a user's sources: also twice at once, and on what there is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from copies import CALENDAR, CONTACTS, GMAIL, SOURCES, TASKS, Copy

from models import Record, SyncState
from pipeline.errors import ReauthRequired
from pipeline.jobs import controls
from pipeline.jobs.reading import page
from pipeline.stores import collection
from pipeline.users import acting, erasing
from pipeline.users.errors import NotNow, Unknown


def waiting() -> list[str]:
    """Return the ids of the jobs that wait, in alphabetical order."""
    return sorted(job.job_id for job in page("data-sync", "waiting", limit=100).jobs)


def later(copy: Copy) -> None:
    """Let nothing be due."""
    much_later = datetime(2199, 1, 1, tzinfo=UTC)
    collection(SyncState).update_many({}, {"$set": {"status": "idle", "next_due_at": much_later}})


def test_sync_now_makes_all_sources_due_and_queues_one_job_for_each(copy: Copy) -> None:
    later(copy)
    asked = acting.sync_now("ada")
    assert [one.source for one in asked] == sorted(SOURCES)
    assert waiting() == sorted(one.job_id for one in asked)
    now = datetime.now(UTC)
    assert all(copy.state(source)["next_due_at"] <= now for source in SOURCES)


def test_of_many_clicks_at_once_one_job_comes(copy: Copy) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: acting.sync_now("ada", [CONTACTS])[0], range(8)))
    assert sum(one.created for one in asked) == 1
    assert len({one.message_id for one in asked}) == 1
    assert waiting() == ["sync:google_contacts:ada"]


def test_a_source_that_waits_for_its_user_is_left_out(copy: Copy) -> None:
    held = {"status": "needs_reauth", "next_due_at": None}
    collection(SyncState).update_one({"source": GMAIL}, {"$set": held})
    assert GMAIL not in [one.source for one in acting.sync_now("ada")]
    assert copy.state(GMAIL)["status"] == "needs_reauth"
    with pytest.raises(ReauthRequired, match="must connect again"):
        acting.sync_now("ada", [GMAIL])


def test_what_there_is_not_is_said_to_be_missing(copy: Copy) -> None:
    with pytest.raises(Unknown, match="no user 'bob'"):
        acting.sync_now("bob")
    with pytest.raises(Unknown, match="has not connected google_dreams"):
        acting.sync_now("ada", [CONTACTS, "google_dreams"])
    with pytest.raises(Unknown, match="has not connected microsoft_mail"):
        acting.dry_run("ada", "microsoft_mail")
    for act in (acting.resume, lambda user: acting.pause(user, reason="", by="eve")):
        with pytest.raises(Unknown):
            act("bob")
    assert waiting() == []


def test_a_resync_lists_everything_anew_and_deletes_nothing_before(copy: Copy) -> None:
    copy.sync(CONTACTS)
    before = copy.live(CONTACTS)
    assert [one.source for one in acting.resync("ada", [CONTACTS])] == [CONTACTS]
    assert copy.live(CONTACTS) == before
    assert copy.sync(CONTACTS).counts.unchanged == len(before)


def test_a_dry_run_tells_changes_and_cost_and_writes_nothing(copy: Copy) -> None:
    found = acting.dry_run("ada", TASKS)
    assert found.counts.created > 0
    assert (found.complete, found.calls > 0, found.units > 0) == (True, True, True)
    assert collection(Record).count_documents({}) == 0


def test_a_dry_run_whose_time_is_up_tells_what_it_has_found_so_far(copy: Copy) -> None:
    short = acting.dry_run("ada", CALENDAR, limit_seconds=0)
    assert not short.complete
    assert short.counts.created < acting.dry_run("ada", CALENDAR).counts.created


def test_a_pause_is_of_the_user_and_ends_when_it_is_resumed(copy: Copy) -> None:
    acting.pause("ada", reason="asked us to wait", by="eve")
    [pause] = controls.pauses()
    assert (pause.scope, pause.reason, pause.by) == ("user:ada", "asked us to wait", "eve")
    assert acting.resume("ada")
    assert not acting.resume("ada")


def test_nothing_is_done_for_a_user_who_is_being_erased(copy: Copy) -> None:
    erasing.begin_erase("ada", "eve")
    with pytest.raises(NotNow, match="is being erased"):
        acting.sync_now("ada")
