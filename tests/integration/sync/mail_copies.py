"""A connected mailbox, and the questions that the tests ask of its copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from copies import Copy

from models import Record
from pipeline.connect import connect_microsoft
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync.report import SyncReport

MAIL = "microsoft_mail"
USER = "mia"


class MailCopy(Copy):
    """One sandbox mailbox and our copy of it."""

    def sync_mail(self, *, full: bool = False) -> SyncReport:
        """Sync now, with all of its quota."""
        report = self.sync(MAIL, full=full)
        assert report.outcome == "succeeded", report.error
        return report

    def add(self, folder: str = "inbox", days_ago: float = 1, **message: object) -> str:
        """Have a mail arrive; return its id."""
        at = datetime.now(UTC) - timedelta(days=days_ago)
        return self.sandbox.mail_add(self.user_id, folder, dict(message) or None, at)

    def folder(self, name: str) -> str:
        """Return the id of a folder, by its well-known or own name."""
        found = self.sandbox.mail_folders(self.user_id)
        [folder] = [f for f in found if name in (f["well_known"], f["name"])]
        return str(folder["id"])

    def folder_of(self, message_id: str) -> str | None:
        """Return the folder that a mail is in by its record; None if it is not live."""
        row = collection(Record).find_one({"user_id": self.user_id, "item_id": message_id})
        if row is None or row["deleted_at"] is not None:
            return None
        assert row["stream"] == f"messages/{row['item']['parentFolderId']}"
        return str(row["item"]["parentFolderId"])


def connected_mailbox(sandbox: SandboxClient, user_id: str = USER) -> MailCopy:
    """Make a sandbox user with an empty mailbox and connect that."""
    sandbox.add_user(user_id)
    sandbox.open_mailbox(user_id)
    connect_microsoft(user_id, sandbox.microsoft_grant(user_id))
    return MailCopy(user_id, sandbox)
