"""What happens in a mailbox while nobody looks: one change at a time, drawn from a mix."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pipeline.sandbox.microsoft.rows import (
    ARCHIVE,
    DELETED,
    INBOX,
    JUNK,
    Folder,
    Item,
    Message,
)
from pipeline.sandbox.store import Store, User

CREATED, UPDATED, REMOVED = "created", "updated", "removed"
_CATEGORIES = ("Red category", "Blue category", "Travel", "Invoices")
_SENDERS = ("Mara Lind", "Theo Brandt", "Weekly Letter", "Billing", "Ines Costa", "Status Page")
_SUBJECTS = ("Hello", "Your invoice", "This week", "Minutes", "Re: plan", "Offer", "Alert")
_TARGETS = (INBOX, ARCHIVE, DELETED, JUNK)
#: Beyond so many of their own nobody makes another folder.
_MOST_FOLDERS = 25


class MailMutator:
    """Changes to one user's mailbox; the same randomness on the same state makes the same."""

    def __init__(self, store: Store, random: Random, user: User) -> None:
        self._store, self._mail = store, store.mail
        self._random, self._user = random, user

    def change(self) -> str:
        """Make one change, and say of which kind it was: created, updated or removed."""
        changes, weights = list(_MIX), list(_MIX.values())
        while True:
            kind = self._random.choices(changes, weights)[0](self)
            if kind is not None:
                return kind

    def arrive(self) -> str:
        """A message comes, like one that is there or from somebody new."""
        like = self._pick()
        if like is not None and like["isDraft"]:
            like = None
        name = self._random.choice(_SENDERS)
        address = f"{name.lower().replace(' ', '.')}@mail.example"
        sender = {"emailAddress": {"name": name, "address": address}}
        if like is not None:
            sender = like["from"]
        number = self._random.randrange(10_000)
        self._mail.add_message(
            *(self._user, INBOX),
            {
                "subject": f"{self._random.choice(_SUBJECTS)} {number}",
                "from": sender,
                "toRecipients": [{"emailAddress": {"address": self._user.email}}],
                "body": {"contentType": "text", "content": f"Number {number}."},
                "internetMessageHeaders": [{"name": "X-Mailer", "value": "sandbox"}],
            },
        )
        return CREATED

    def read(self) -> str | None:
        return self._patch(lambda message: {"isRead": not message["isRead"]})

    def flag(self) -> str | None:
        status = self._random.choice(("flagged", "complete", "notFlagged"))
        return self._patch(lambda _: {"flag": {"flagStatus": status}})

    def categorize(self) -> str | None:
        count = self._random.randrange(3)
        names = sorted(self._random.sample(_CATEGORIES, count))
        return self._patch(lambda _: {"categories": names})

    def move(self) -> str | None:
        """To a well-known folder or one of the person's own; at times at once back again."""
        message = self._pick()
        own = [folder.id for folder in self._own_folders()]
        target = self._random.choice([*_TARGETS, *own])
        target_id = self._mail.folder(self._user, target).id
        if message is None or message["parentFolderId"] == target_id or message["isDraft"]:
            return None
        self._mail.move(self._user, message["id"], target_id)
        if self._random.random() < 0.1:
            self._mail.move(self._user, message["id"], message["parentFolderId"])
        return UPDATED

    def remove(self) -> str | None:
        message = self._pick()
        if message is None:
            return None
        self._mail.remove(self._user, message["id"])
        return REMOVED

    def add_folder(self) -> str | None:
        own = self._own_folders()
        if len(own) >= _MOST_FOLDERS:
            return None
        parent = self._random.choice([None, INBOX, *(folder.id for folder in own)])
        name = f"Folder {self._random.randrange(10_000)}"
        self._mail.add_folder(self._user, name, parent)
        return CREATED

    def rename_folder(self) -> str | None:
        own = self._own_folders()
        if not own:
            return None
        name = f"Folder {self._random.randrange(10_000)}"
        self._mail.rename_folder(self._user, self._random.choice(own).id, name)
        return UPDATED

    def remove_folder(self) -> str | None:
        """With all that is in it, folders as well."""
        own = self._own_folders()
        if not own:
            return None
        self._mail.remove_folder(self._user, self._random.choice(own).id)
        return REMOVED

    def _patch(self, change: Callable[[Message], Message]) -> str | None:
        message = self._pick()
        if message is None:
            return None
        changes = change(message)
        if all(message[name] == value for name, value in changes.items()):
            return None
        self._mail.patch(self._user, message["id"], changes)
        return UPDATED

    def _pick(self) -> Message | None:
        item: Item | None = self._mail.nth(self._user, self._random.random())
        return None if item is None else item.shown()

    def _own_folders(self) -> list[Folder]:
        return [folder for folder in self._mail.folders(self._user) if folder.well_known is None]


#: How often each change is proposed, by weight.
_MIX: dict[Callable[[MailMutator], str | None], int] = {
    MailMutator.arrive: 14, MailMutator.read: 10, MailMutator.flag: 3, MailMutator.categorize: 3,
    MailMutator.move: 10, MailMutator.remove: 3, MailMutator.add_folder: 1,
    MailMutator.rename_folder: 1, MailMutator.remove_folder: 1,
}  # fmt: skip
