"""How mail that is sent here arrives here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sandbox.microsoft.people import mail_address
from pipeline.sandbox.microsoft.rows import INBOX, Message

if TYPE_CHECKING:
    from pipeline.sandbox.store import Store, User

RECIPIENTS = ("toRecipients", "ccRecipients", "bccRecipients")
#: What a copy does not take from the mail that was sent.
_OF_THE_SENDER = (
    *("bccRecipients", "createdDateTime", "lastModifiedDateTime", "receivedDateTime"),
    *("isRead", "isDraft", "flag", "categories", "singleValueExtendedProperties"),
)


def deliver(store: Store, sender: User, message: Message) -> None:
    """Put a copy into the inbox of everybody it is for who has a mailbox."""
    addresses = {
        str(entry["emailAddress"]["address"])
        for name in RECIPIENTS
        for entry in message.get(name, ())
    }
    copy = {name: value for name, value in message.items() if name not in _OF_THE_SENDER}
    copy |= {"from": mail_address(sender), "sender": mail_address(sender)}
    for address in sorted(addresses):
        recipient = store.find_user(address)
        if recipient is not None and store.mail.has_mailbox(recipient):
            store.mail.add_message(recipient, INBOX, copy)
