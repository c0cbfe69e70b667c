"""What the control client can ask about lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, Literal

Item = dict[str, Any]


class LifeClient(ABC):
    """Mailboxes with people in them; a part of SandboxClient."""

    def mailboxes(self) -> list[Item]:
        """Mailboxes with people in them: `user`, `email`, `folders`, `messages`."""
        return list(self._ask("GET", "microsoft/mailboxes")["mailboxes"])

    def add_mailboxes(
        self,
        users: list[str] | None = None,
        *,
        count: int | None = None,
        seed: int = 1,
        messages: int | None = None,
        days: int = 80,
    ) -> list[Item]:
        """Give these users, or the first `count` of all, a mailbox with folders and mail.

        They are as `mailboxes` gives them, with `created`; those who live already stay as they
        are.  So many `messages` come from the last `days`; without, sizes are realistic.
        """
        body: Item = {"users": users, "count": count, "seed": seed}
        if messages is not None:
            body["size"] = {"messages": messages, "days": days}
        return list(self._ask("POST", "microsoft/mailboxes", body)["mailboxes"])

    def live(
        self,
        seed: int,
        since: datetime,
        until: datetime,
        phase: Literal["arrivals", "acts"],
        users: list[str] | None = None,
    ) -> dict[str, dict[str, int]]:
        """Have the mail of past days come, or have people do with it what they do.

        Returns by user how often what happened.  A second time nothing more happens.
        """
        body = {
            "seed": seed,
            "since": since.isoformat(),
            "until": until.isoformat(),
            "phase": phase,
            "users": users,
        }
        return dict(self._ask("POST", "microsoft/live", body)["users"])

    def habits(self, user: str) -> list[Item]:
        """What a user does as a rule: `kind` (delete, mark_read, move, archive),
        `sender_email`, and of moves `folder_id` and `folder_path`."""
        return list(self._ask("GET", f"microsoft/habits/{user}")["habits"])

    @abstractmethod
    def _ask(self, verb: str, path: str, body: Item | None = None) -> Item:
        """Ask `/control`."""
