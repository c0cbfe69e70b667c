"""One execution under way: its mail as last read, and its steps as last written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import Gone
from pipeline.mailbox import ledger
from pipeline.mailbox.deeds import SELECT, sender_of
from pipeline.mailbox.holding import Hold
from pipeline.stores import Row

READ = "GET /me/messages/{id}"
#: States of steps with which nothing more is done.
OVER = ("done", "failed", "skipped")
#: Why a step was not needed: the mail was as it would have made it.
ALREADY_SO = "already so"
GONE = "the mail is gone"


class Run:
    """What is done to one mail, by one claimed execution."""

    def __init__(self, hold: Hold, execution: Row) -> None:
        self.hold = hold
        self.execution = execution
        self.message_id = str(execution["message_id"])
        self._mail: Mapping[str, Any] | None = None

    @property
    def steps(self) -> list[Row]:
        """The steps, as they were written last."""
        return list(self.execution["steps"])

    @property
    def mail(self) -> Mapping[str, Any]:
        """The mail as last read.  Raises Gone if there is none any more."""
        if self._mail is None:
            self._mail = self.hold.client.call(READ, id=self.message_id, select=SELECT)
        return self._mail

    @property
    def sender_email(self) -> str:
        """Who the mail is from.  Raises Gone if there is none any more."""
        return sender_of(self.mail)[1]

    def read_again(self) -> None:
        """Forget what was read: the mail may be otherwise by now."""
        self._mail = None

    def changed(self, answer: Mapping[str, Any]) -> None:
        """Take the mail from the answer to what has changed it, if it says enough."""
        self.message_id = str(answer.get("id") or self.message_id)
        told = {"parentFolderId", "isRead", "flag", "categories"} <= answer.keys()
        self._mail = answer if told else None

    def is_gone(self) -> bool:
        """Read the mail again, and return whether it is gone."""
        self.read_again()
        try:
            return not self.mail
        except Gone:
            return True

    def write(self, index: int, state: str, error: str = "", **changes: Any) -> None:
        """Write the state of a step.  Raises LeaseLost if it is somebody else's by now."""
        now = datetime.now(UTC)
        fresh: Row = {"state": state, **changes}
        fresh |= {"error": error} if error else {}
        fresh |= {"acted_at": now} if state == "doing" else {}
        ledger.write_step(self.execution, index, fresh, now)

    def end_rest(self, state: str, reason: str) -> None:
        """Write the same for every step that is not over."""
        for index, step in enumerate(self.steps):
            if step["state"] not in OVER:
                self.write(index, state, reason)
