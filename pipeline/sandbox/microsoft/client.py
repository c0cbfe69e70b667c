"""What the control client can ask about Microsoft's side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, Literal

Item = dict[str, Any]


class MicrosoftControlClient(ABC):
    """Mailboxes, their mail, and grants; a part of SandboxClient.

    A folder is named by its id or its well-known name, such as "inbox"; a message, in Graph's
    shape, may leave out whatever the server can fill in.
    """

    def open_mailbox(self, user: str, time_zone: str = "UTC") -> bool:
        """Give the user an empty mailbox; False if there is one already."""
        body = {"user": user, "time_zone": time_zone}
        return bool(self._ask("POST", "microsoft/open", body)["created"])

    def mail_folders(self, user: str) -> list[Item]:
        """Folders: `id`, `parent_id`, `name`, `well_known`, `hidden`."""
        return list(self._ask("GET", f"microsoft/folders/{user}")["folders"])

    def mail_folder_add(
        self, user: str, name: str, parent: str | None = None, *, hidden: bool = False
    ) -> str:
        body = {"user": user, "action": "add", "name": name, "parent": parent, "hidden": hidden}
        return str(self._ask("POST", "microsoft/folders", body)["id"])

    def mail_folder_rename(self, user: str, folder: str, name: str) -> None:
        body = {"user": user, "action": "rename", "folder": folder, "name": name}
        self._ask("POST", "microsoft/folders", body)

    def mail_folder_remove(self, user: str, folder: str) -> None:
        """Delete a folder with all that is in it."""
        self._ask("POST", "microsoft/folders", {"user": user, "action": "remove", "folder": folder})

    def mail_add(
        self,
        user: str,
        folder: str = "inbox",
        message: Item | None = None,
        at: datetime | None = None,
    ) -> str:
        """Have a message arrive; returns its immutable id."""
        return self._mail(user, "add", at, folder=folder, message=message)

    def mail_move(
        self, user: str, message_id: str, folder: str, at: datetime | None = None
    ) -> None:
        self._mail(user, "move", at, id=message_id, folder=folder)

    def mail_patch(
        self, user: str, message_id: str, changes: Item, at: datetime | None = None
    ) -> None:
        """Change properties, such as `isRead`, `flag`, `categories`."""
        self._mail(user, "patch", at, id=message_id, message=changes)

    def mail_remove(self, user: str, message_id: str) -> None:
        """Delete a message for good."""
        self._mail(user, "remove", None, id=message_id)

    def mail_message(self, user: str, message_id: str) -> Item | None:
        """The whole message as it is now, or None."""
        found = self._ask("GET", f"microsoft/mail/{user}?id={message_id}")["message"]
        return None if found is None else dict(found)

    def mail_messages(self, user: str, folder: str | None = None) -> list[Item]:
        """All messages, or those of one folder."""
        query = "" if folder is None else f"?folder={folder}"
        return list(self._ask("GET", f"microsoft/mail/{user}{query}")["messages"])

    def mail_counts(self, user: str) -> dict[str, int]:
        """How many messages are in which folder, by well-known or own name."""
        return dict(self._ask("GET", f"microsoft/counts/{user}")["counts"])

    def microsoft_tokens(
        self,
        user: str,
        action: Literal["revoke", "password", "inactive", "proof", "expire", "restore"],
    ) -> None:
        """Withdraw the user's consent, change the password, let the grant fall asleep, ask for
        another proof; let only access tokens expire; or make it all good again."""
        self._ask("POST", "microsoft/tokens", {"user": user, "action": action})

    def microsoft_grant(self, user: str, scopes: list[str] | None = None) -> Item:
        """A grant without a browser: `client_id`, `client_secret`, `tenant_id`, `refresh_token`,
        `access_token`, `id_token_claims`, `scopes`, and as `token` the token endpoint's answer."""
        return self._ask("POST", "microsoft/grant", {"user": user, "scopes": scopes})

    def mail_lifecycle(
        self,
        user: str,
        event: Literal["reauthorizationRequired", "subscriptionRemoved", "missed"],
    ) -> int:
        """Tell each of the user's subscriptions of itself, and end it if it is removed; returns
        how many have an address for that."""
        body = {"user": user, "event": event}
        return int(self._ask("POST", "microsoft/lifecycle", body)["told"])

    def _mail(self, user: str, action: str, at: datetime | None, **fields: Any) -> str:
        body = {"user": user, "action": action, "at": None if at is None else at.isoformat()}
        return str(self._ask("POST", "microsoft/mail", body | fields)["id"])

    @abstractmethod
    def _ask(self, verb: str, path: str, body: Item | None = None) -> Item:
        """Ask `/control`."""
