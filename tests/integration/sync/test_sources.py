"""Every source against the sandbox: what it says is what we hold, whatever happened in between."""

from __future__ import annotations

import pytest
from copies import CALENDAR, CONTACTS, GMAIL, SOURCES, TASKS, Copy, connected

from models import RejectedItem, SyncState
from pipeline.clients.google import GoogleClient
from pipeline.connect import connect_google
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection


def assert_no_difference(copy: Copy) -> None:
    verdict = copy.verdict()
    assert (verdict.mongodb, verdict.graph) == (0, 0), verdict.examples


def test_a_first_sync_copies_everything(copy: Copy) -> None:
    reports = copy.sync_all()
    assert {report.outcome for report in reports.values()} == {"succeeded"}
    assert all(report.counts.created > 0 for report in reports.values())
    assert_no_difference(copy)


def test_an_empty_user_is_fresh_after_its_first_sync(sandbox: SandboxClient) -> None:
    empty = connected(sandbox, "empty", {})
    empty.sync_all()
    assert_no_difference(empty)
    assert all(empty.state(source)["fresh_as_of"] for source in SOURCES)


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_every_kind_arrive(copy: Copy, seed: int) -> None:
    copy.sync_all()
    for turn in range(3):
        copy.sandbox.mutate(seed=seed * 10 + turn, changes=150)
        copy.sync_all()
        assert_no_difference(copy)


def test_expired_cursors_lead_to_full_listings_that_find_every_deletion(copy: Copy) -> None:
    copy.sync_all()
    copy.sandbox.mutate(seed=5, changes=200)
    copy.sandbox.expire_cursors(copy.user_id)
    copy.sync_all()
    assert_no_difference(copy)


@pytest.mark.parametrize("source", SOURCES)
def test_a_full_sync_of_an_unchanged_source_changes_nothing(copy: Copy, source: str) -> None:
    copy.sync(source)
    seq = copy.state(source)["seq"]
    report = copy.sync(source, full=True)
    assert report.counts.changed == 0
    assert report.counts.unchanged == len(copy.live(source))
    assert copy.state(source)["seq"] == seq


@pytest.mark.parametrize("source", SOURCES)
def test_an_idle_sync_asks_each_stream_once(copy: Copy, source: str) -> None:
    copy.sync(source)
    copy.sync(source)  # tasks learn here what their overlap repeats
    report = copy.sync(source)
    assert report.calls <= len(copy.state(source)["streams"])
    assert (report.counts.changed, report.counts.unchanged) == (0, 0)


def test_short_and_empty_pages_are_no_end(copy: Copy) -> None:
    copy.sandbox.fault("short_pages", times=500, params={"size": 3, "empty": True})
    copy.sync_all()
    assert_no_difference(copy)


def test_deleting_a_calendar_deletes_its_events(copy: Copy) -> None:
    copy.sync(CALENDAR)
    calendars = copy.ids(CALENDAR, "calendars")
    victim = next(c for c in calendars if copy.ids(CALENDAR, f"events/{c}") and "@group" in c)
    copy.sandbox.remove(copy.user_id, CALENDAR, "calendars", victim)
    copy.sync_all()
    assert_no_difference(copy)
    assert victim not in copy.live(CALENDAR)


def test_deleting_a_task_list_deletes_its_tasks(copy: Copy) -> None:
    copy.sync(TASKS)
    victim = copy.ids(TASKS, "tasklists")[-1]
    copy.sandbox.remove(copy.user_id, TASKS, "tasklists", victim)
    copy.sync_all()
    assert_no_difference(copy)


def test_a_renamed_contact_is_not_kept_twice(copy: Copy) -> None:
    copy.sync(CONTACTS)
    former = copy.ids(CONTACTS, "connections")[0]
    person = copy.live(CONTACTS)[former]
    copy.sandbox.apply(
        copy.user_id,
        {
            "kind": "rename",
            "source": CONTACTS,
            "stream": "connections",
            "item_id": former,
            "new_item_id": "people/c999",
            "item": {**person, "resourceName": "people/c999"},
        },
    )
    copy.sync(CONTACTS)
    live = copy.live(CONTACTS)
    assert former not in live
    assert "people/c999" in live


def test_mail_in_the_trash_leaves_the_copy_and_comes_back(copy: Copy) -> None:
    copy.sync(GMAIL)
    message_id = next(iter(copy.live(GMAIL)))
    with GoogleClient.for_source(copy.user_id, GMAIL) as client:
        message = client.call("gmail.users.messages.get", userId="me", id=message_id)
    labels = message["labelIds"]
    for present_labels, kept in (([*labels, "TRASH"], False), (labels, True)):
        changed = {**message, "labelIds": present_labels}
        copy.sandbox.put(copy.user_id, GMAIL, "messages", message_id, changed)
        copy.sync(GMAIL)
        assert (message_id in copy.live(GMAIL)) is kept


ITEM_METHODS = {
    CALENDAR: "*events.list",
    GMAIL: "*messages.get",
    CONTACTS: "*connections.list",
    TASKS: "*tasks.list",
}


@pytest.mark.parametrize("what", ["no_id", "wrong_types", "huge_int", "bad_date"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_malformed_item_is_set_aside_and_mended_by_the_next_full_sync(
    copy: Copy, source: str, what: str
) -> None:
    if (source, what) == (CONTACTS, "bad_date"):
        return  # a person has no date that we rely on
    match = {"method": ITEM_METHODS[source]}
    copy.sandbox.fault("malformed_item", match=match, times=2, params={"what": what})
    report = copy.sync(source)
    assert report.outcome == "succeeded"
    assert report.counts.rejected > 0
    aside = list(collection(RejectedItem).find({"user_id": copy.user_id}))
    assert aside
    assert all(row["reason"] and row["raw"] for row in aside)
    copy.sandbox.clear_faults()
    copy.sync(source, full=True)
    copy.sync_all()
    assert_no_difference(copy)


def test_an_unreadable_id_in_a_listing_forbids_the_sweep(copy: Copy) -> None:
    copy.sync(CONTACTS)
    before = set(copy.live(CONTACTS))
    copy.sandbox.fault(
        "malformed_item",
        match={"api": "people"},
        times=1,
        params={"what": "no_id", "mode": "replace"},
    )
    copy.sync(CONTACTS, full=True)
    assert set(copy.live(CONTACTS)) == before


def test_a_revoked_grant_stops_the_schedules_until_the_user_connects_again(copy: Copy) -> None:
    copy.sync_all()
    copy.sandbox.tokens(copy.user_id, "revoke")
    report = copy.sync(CALENDAR)
    assert report.outcome == "needs_reauth"
    state = copy.state(CALENDAR)
    assert (state["status"], state["next_due_at"]) == ("needs_reauth", None)
    connect_google(copy.user_id, copy.sandbox.authorized_user(copy.user_id))
    assert copy.state(CALENDAR)["status"] == "idle"
    assert copy.sync(CALENDAR).outcome == "succeeded"


def test_a_scope_that_was_not_granted_concerns_its_source_only(sandbox: SandboxClient) -> None:
    sandbox.add_user("part", seed=1, contacts=3, calendars=1, events=3)
    calendar = "https://www.googleapis.com/auth/calendar.readonly"
    opened = connect_google("part", sandbox.authorized_user("part", [calendar]))
    assert opened == [CALENDAR]
    assert collection(SyncState).count_documents({"user_id": "part"}) == 1
