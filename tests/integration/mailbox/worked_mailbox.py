"""Ada's mailbox in the sandbox, connected, synced and worked in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import Execution, MailAudit, Mailbox, StagedEmail, User
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.connect import connect_microsoft
from pipeline.mailbox import holding, mailboxes, observing, rules, working
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection
from pipeline.sync import engine

SHOP = "news@shop.example"
USER = "ada"


class Crash(BaseException):
    """A process that dies: nothing of ours may catch it."""


class WorkedMailbox:
    """What Ada, Microsoft and our worker do, one after the other."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        sandbox.add_user(USER)
        sandbox.open_mailbox(USER, "UTC")
        connect_microsoft(USER, sandbox.microsoft_grant(USER))
        always = {"preferences.working_hours_start": 0, "preferences.working_hours_end": 0}
        collection(User).update_one({"_id": USER}, {"$set": always})
        mailbox = mailboxes.of_user(USER)
        assert mailbox is not None
        self.id = str(mailbox["_id"])
        self.sync()
        watched = {"watched_from": datetime.now(UTC) - timedelta(minutes=5)}
        collection(Mailbox).update_one({"_id": self.id}, {"$set": watched})

    def sync(self) -> None:
        """Copy what is new and look at it."""
        engine.sync(USER, "microsoft_mail", force=True)
        observing.observe(USER, self.id)

    def work(self) -> str:
        """Do what is due."""
        return working.work(USER, self.id)

    def arrive(self, sender: str = SHOP, **message: Any) -> str:
        """Have mail arrive, and be seen; return its id."""
        address = {"emailAddress": {"name": "Shop", "address": sender}}
        given = {"subject": "Sale", "from": address, "sender": address, **message}
        return self.sandbox.mail_add(USER, "inbox", given)

    def rule(self, *actions: Row, sender: str = SHOP, **fields: Any) -> str:
        """Make a rule for a sender's mail."""
        conditions = {"sender_email": sender}
        given = {"name": "Shop", "conditions": conditions, "actions": list(actions), **fields}
        return rules.create(USER, self.id, by=USER, **given)

    def stage(self) -> tuple[str, str]:
        """Have mail arrive that a rule stages; return its id and that of the staged mail."""
        message_id = self.arrive()
        self.sync()
        self.work()
        return message_id, str(self.staged(message_id)["_id"])

    def folder(self, message_id: str) -> str:
        """Return the name of the folder in which a mail really is; "" if it is gone."""
        message = self.message(message_id)
        names = {f["id"]: f["well_known"] or f["name"] for f in self.sandbox.mail_folders(USER)}
        return names[message["parentFolderId"]] if message else ""

    def folder_id(self, name: str) -> str:
        folders = self.sandbox.mail_folders(USER)
        return str(next(f["id"] for f in folders if name in (f["well_known"], f["name"])))

    def message(self, message_id: str) -> Row:
        return self.sandbox.mail_message(USER, message_id) or {}

    def staged(self, message_id: str) -> Row:
        row = collection(StagedEmail).find_one({"message_id": message_id}, sort=[("_id", -1)])
        assert row is not None
        return row

    def execution(self, kind: str) -> Row:
        [row] = collection(Execution).find({"kind": kind})
        return row

    def executed(self, message_id: str) -> Row:
        """Return what its rule did to a mail."""
        row = collection(Execution).find_one({"message_id": message_id, "kind": "rule"})
        assert row is not None
        return row

    def audited(self, action: str) -> list[Row]:
        return list(collection(MailAudit).find({"action": action}).sort("_id", 1))

    def set_user(self, **fields: Any) -> None:
        collection(User).update_one({"_id": USER}, {"$set": fields})

    def let_it_wait(self) -> None:
        """Have everything waited for as long as it must."""
        past = datetime.now(UTC) - timedelta(minutes=1)
        collection(StagedEmail).update_many(
            {"status": "staged"}, {"$set": {"expires_at": past, "due_at": past}}
        )
        collection(Execution).update_many({"due_at": {"$exists": True}}, {"$set": {"due_at": past}})

    @contextmanager
    def dying(self, patch: pytest.MonkeyPatch, method: str, *, after: bool) -> Iterator[None]:
        """Have the process die before or after the first call of `method` is carried out."""
        with patch.context() as context:
            context.setattr(holding, "MicrosoftClient", dying_client(method, after=after))
            with pytest.raises(Crash):
                yield


def dying_client(method: str, *, after: bool) -> type[MicrosoftClient]:
    """Return a client that makes real calls, and dies at the first of `method`."""

    class Dying(MicrosoftClient):
        def call(self, called: str, **params: Any) -> Row:
            if called != method:
                return super().call(called, **params)
            if after:
                super().call(called, **params)
            raise Crash

    return Dying
