"""Mail that is moved, changed in part, or gone with its folder; links that expire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mail_copies import MAIL, MailCopy, connected_mailbox
from mail_life import MailLife

from models import Mailbox as MailboxRow
from models import Record, StagedEmail
from pipeline.errors import Transient
from pipeline.projections import graph
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection, redis_client
from pipeline.sync.dry_run import dry_run

_SHARES = ("microsoft_quiet_move_share", "microsoft_partial_update_share", "microsoft_replay_share")


@pytest.fixture
def box(sandbox: SandboxClient) -> Iterator[MailCopy]:
    """A mailbox with two own folders and five mails, synced once; nothing moves quietly."""
    before = sandbox.settings()
    sandbox.settings(**dict.fromkeys(_SHARES, 0))
    box = connected_mailbox(sandbox)
    for name in ("Bills", "Trips"):
        sandbox.mail_folder_add(box.user_id, name)
    for number in range(5):
        box.add(subject=f"Number {number}")
    box.sync_mail()
    yield box
    sandbox.settings(**{name: before[name] for name in _SHARES})


def assert_no_difference(box: MailCopy) -> None:
    graph.advance(box.user_id)
    verdict = box.verdict()
    assert (verdict.differences, verdict.examples) == (0, [])


def test_a_mailbox_lands_with_its_folders(box: MailCopy) -> None:
    live = box.live(MAIL)
    names = {item["wellKnownName"] for item in live.values() if "wellKnownName" in item}
    assert names >= {"inbox", "drafts", "sentitems", "deleteditems", "archive"}
    assert sum("subject" in item for item in live.values()) == 5
    report = box.sync_mail(full=True)
    assert (report.counts.changed, report.counts.unchanged) == (0, len(live))
    assert_no_difference(box)


def test_a_moved_mail_keeps_its_record(box: MailCopy) -> None:
    mail = box.add()
    box.sync_mail()
    [before] = collection(Record).find({"item_id": mail})
    box.sandbox.mail_move(box.user_id, mail, box.folder("Bills"))
    report = box.sync_mail()
    assert (report.counts.updated, report.counts.deleted) == (1, 0)
    [after] = collection(Record).find({"item_id": mail})
    assert (after["_id"], box.folder_of(mail)) == (before["_id"], box.folder("Bills"))
    assert after["seq"] > before["seq"]


def test_a_move_that_the_new_folder_does_not_tell_of_is_found(box: MailCopy) -> None:
    mails = [box.add() for _ in range(3)]
    box.sync_mail()
    box.sandbox.settings(microsoft_quiet_move_share=1)
    for mail in mails:
        box.sandbox.mail_move(box.user_id, mail, box.folder("Bills"))
    box.sandbox.mail_remove(box.user_id, mails[2])
    report = box.sync_mail()
    assert (report.counts.updated, report.counts.deleted) == (2, 1)
    assert [box.folder_of(mail) for mail in mails] == [box.folder("Bills")] * 2 + [None]
    # There and back again: the folder says that it left, and it is there.
    box.sandbox.mail_move(box.user_id, mails[0], box.folder("Trips"))
    box.sandbox.mail_move(box.user_id, mails[0], box.folder("Bills"))
    assert box.sync_mail().counts.deleted == 0
    assert_no_difference(box)


def test_a_change_that_says_only_a_part_is_read_as_a_whole(box: MailCopy) -> None:
    mail = box.add(subject="Whole", isRead=False)
    box.sync_mail()
    box.sandbox.settings(microsoft_partial_update_share=1, microsoft_replay_share=1)
    box.sandbox.mail_patch(box.user_id, mail, {"isRead": True})
    assert box.sync_mail().counts.updated == 1
    assert (box.live(MAIL)[mail]["subject"], box.live(MAIL)[mail]["isRead"]) == ("Whole", True)
    assert_no_difference(box)


def test_mail_that_moved_out_of_a_deleted_folder_lives_on(box: MailCopy) -> None:
    stays, leaves = (box.add(box.folder("Bills")) for _ in range(2))
    box.sync_mail()
    box.sandbox.settings(microsoft_quiet_move_share=1)
    box.sandbox.mail_move(box.user_id, leaves, "archive")
    box.sandbox.mail_folder_remove(box.user_id, box.folder("Bills"))
    box.sandbox.mail_folder_rename(box.user_id, box.folder("Trips"), "Journeys")
    report = box.sync_mail()
    assert report.counts.deleted == 2  # the folder, and what was in it
    assert (box.folder_of(stays), box.folder_of(leaves)) == (None, box.folder("archive"))
    assert_no_difference(box)


def test_mail_in_a_folder_that_came_meanwhile_is_found_there(box: MailCopy) -> None:
    mail, hidden = box.add(), box.add()
    box.sync_mail()
    new = box.sandbox.mail_folder_add(box.user_id, "New")
    unseen = box.sandbox.mail_folder_add(box.user_id, "Unseen", hidden=True)
    # The folders are read first: here, before there was any of these.
    box.sandbox.fault(
        "status", match={"method": "mailFolders.delta"}, params={"code": 503}, times=9
    )
    with pytest.raises(Transient):
        box.sync(MAIL)
    box.sandbox.clear_faults()
    box.sandbox.mail_move(box.user_id, mail, new)
    box.sandbox.mail_move(box.user_id, hidden, unseen)
    box.sync_mail()
    assert (box.folder_of(mail), box.folder_of(hidden)) == (new, None)
    assert_no_difference(box)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_the_copy_is_the_same(box: MailCopy, seed: int) -> None:
    box.sandbox.settings(**dict.fromkeys(_SHARES, 0.4))
    life = MailLife(box.sandbox, box.user_id, seed)
    for turn in range(4):
        life.live(25)
        box.sync_mail(full=turn == 2)
        assert_no_difference(box)
    life.live(25)
    box.sandbox.expire_cursors(box.user_id)
    box.sync_mail()
    assert_no_difference(box)


def test_an_unchanged_mailbox_costs_little_and_writes_nothing(box: MailCopy) -> None:
    while len(box.sandbox.mail_folders(box.user_id)) < 20:
        box.sandbox.mail_folder_add(box.user_id, "More")
    box.sync_mail()
    records, seq = list(collection(Record).find()), box.state(MAIL)["seq"]
    box.sandbox.clear_usage()
    report = box.sync_mail()
    usage = {row["method"]: row["calls"] for row in box.sandbox.usage()}
    assert usage["batch"] + usage["mailFolders.delta"] == 2
    assert usage["messages.delta"] == report.calls - 1 <= 20
    assert (report.counts.changed, report.lagging) == (0, ("graph", "search", "mailbox"))
    assert (list(collection(Record).find()), box.state(MAIL)["seq"]) == (records, seq)


def test_an_expired_link_costs_one_folder_its_listing(box: MailCopy) -> None:
    inbox = {"path": f"*{box.folder('inbox')}*"}
    mail = box.add()
    box.sandbox.fault("expire_cursor", match=inbox, times=1)
    report = box.sync_mail()
    assert (report.counts.created, report.counts.unchanged) == (1, 5)
    # Once more, in the middle of the listing that follows.
    box.sandbox.fault("short_pages", match=inbox, times=50, params={"size": 2})
    box.sandbox.fault("expire_cursor", match=inbox, times=1, params={"at": "later_page"})
    assert box.sync_mail(full=True).counts.deleted == 0
    assert box.folder_of(mail) is not None
    assert_no_difference(box)


def test_an_incomplete_listing_sweeps_nothing(box: MailCopy) -> None:
    inbox = {"path": f"*{box.folder('inbox')}*"}
    before = len(box.live(MAIL))
    box.sandbox.mail_remove(box.user_id, box.add())
    box.sandbox.fault("short_pages", match=inbox, times=1, params={"size": 2})
    box.sandbox.fault("status", match=inbox, times=9, params={"code": 503})
    with pytest.raises(Transient):
        box.sync(MAIL, full=True)
    assert len(box.live(MAIL)) == before
    box.sandbox.clear_faults()
    box.sync_mail()
    assert_no_difference(box)


def test_a_dry_run_finds_moves_and_writes_nothing(box: MailCopy) -> None:
    mail = box.add()
    box.sync_mail()
    box.sandbox.settings(microsoft_quiet_move_share=1)
    box.sandbox.mail_move(box.user_id, mail, box.folder("Bills"))
    redis_client().flushdb()
    tried = dry_run(box.user_id, MAIL, full=True)
    assert (tried.complete, tried.counts.updated, tried.counts.deleted) == (True, 1, 0)
    assert box.folder_of(mail) == box.folder("inbox")


def test_staged_mail_must_be_in_the_staging_folder(box: MailCopy) -> None:
    folder, mail = box.folder("Bills"), box.add()
    box.sync_mail()
    [mailbox] = collection(MailboxRow).find({"user_id": box.user_id})
    changes = {"$set": {"staging_folder_id": folder}}
    collection(MailboxRow).update_one({"_id": mailbox["_id"]}, changes)
    row = {"user_id": box.user_id, "mailbox_id": mailbox["_id"], "message_id": mail}
    collection(StagedEmail).insert_one(row | {"status": "staged"})
    graph.advance(box.user_id)
    assert box.verdict().staging == 1
    box.sandbox.mail_move(box.user_id, mail, folder)
    box.sync_mail()
    assert_no_difference(box)
