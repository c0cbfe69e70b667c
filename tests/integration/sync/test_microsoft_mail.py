"""Mail that is moved, changed in part, or gone with its folder; links that expire."""

from __future__ import annotations

import pytest
from mail_copies import MAIL, MailCopy, connected_mailbox

from models import Record
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection


@pytest.fixture
def box(sandbox: SandboxClient) -> MailCopy:
    """A mailbox with two own folders and five mails, synced once."""
    box = connected_mailbox(sandbox)
    sandbox.mail_folder_add(box.user_id, "Bills")
    sandbox.mail_folder_add(box.user_id, "Trips")
    for number in range(5):
        box.add(subject=f"Number {number}")
    box.sync_mail()
    return box


def test_a_mailbox_lands_with_its_folders(box: MailCopy) -> None:
    live = box.live(MAIL)
    names = {item["wellKnownName"] for item in live.values() if "wellKnownName" in item}
    assert names >= {"inbox", "drafts", "sentitems", "deleteditems", "archive"}
    assert sum("subject" in item for item in live.values()) == 5
    report = box.sync_mail(full=True)
    assert (report.counts.changed, report.counts.unchanged) == (0, len(live))


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
