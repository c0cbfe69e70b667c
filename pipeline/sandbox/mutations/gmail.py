"""Changes in Gmail: mail that arrives, labels that come and go, mail that is deleted for good."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from email.header import decode_header, make_header
from email.utils import getaddresses

from pipeline.sandbox.changes import Change, Put, Remove
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.mail_headers import Thread
from pipeline.sandbox.data.mails import USER_LABELS, new_thread, write
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.mutations.situation import Mutation, Situation

SOURCE = "google_gmail"
STREAM = "messages"
_LATEST_DELIVERY_MS = 60_000


def _labels(message: Item) -> list[str]:
    """A message's labels; Gmail leaves the field out when there are none."""
    labels: list[str] = message.get("labelIds", [])
    return labels


def _put(message: Item) -> list[Change]:
    return [Put(SOURCE, STREAM, message["id"], message)]


def _arrival(situation: Situation) -> datetime:
    """Just before now, so that ids, which hold the time, do not repeat."""
    delay = timedelta(milliseconds=situation.random.randrange(1, _LATEST_DELIVERY_MS))
    return situation.now - delay


def _delivered(situation: Situation, thread: Thread) -> list[Change]:
    message, _ = write(situation.persona, situation.random, thread, _arrival(situation))
    if situation.item(SOURCE, STREAM, message["id"]) is not None:
        return []
    if "SENT" not in message["labelIds"]:
        message["labelIds"] = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"]
    return _put(message)


def receive_mail(situation: Situation) -> list[Change]:
    """A message that opens a thread."""
    return _delivered(situation, new_thread(situation.persona, situation.random))


def _header(message: Item, name: str) -> str:
    """A header's value, whatever the case of its name; empty if it is absent."""
    found = (
        header["value"]
        for header in message["payload"]["headers"]
        if header["name"].lower() == name.lower()
    )
    return next(found, "")


def _correspondent(situation: Situation, message: Item) -> Person:
    """The first person but the user in a message's `From` and `To`."""
    stranger = situation.persona.acquaintance(situation.random)
    found = getaddresses([_header(message, "From"), _header(message, "To")])
    others = [(name, at) for name, at in found if "@" in at and at != situation.persona.email]
    if not others:
        return stranger
    name, address = others[0]
    shown = str(make_header(decode_header(name))) or address
    return replace(stranger, given_name="", family_name="", display_name=shown, email=address)


def thread_of(situation: Situation, message: Item) -> Thread:
    """The conversation that a message belongs to, as far as its own headers tell."""
    return Thread(
        thread_id=message["threadId"],
        subject=_header(message, "Subject"),
        partner=_correspondent(situation, message),
        references=(*_header(message, "References").split(), _header(message, "Message-ID")),
    )


def receive_reply(situation: Situation) -> list[Change]:
    """A message in a thread that exists."""
    message = situation.pick(SOURCE, STREAM, lambda found: "SPAM" not in _labels(found))
    return _delivered(situation, thread_of(situation, message)) if message else []


def _relabel(
    situation: Situation,
    *,
    add: Collection[str] = (),
    drop: Collection[str] = (),
    having: str | None = None,
) -> list[Change]:
    """Add and drop labels of a message that has one label and would change."""

    def fits(message: Item) -> bool:
        labels = set(_labels(message))
        changes = not labels.issuperset(add) or not labels.isdisjoint(drop)
        return changes and (having is None or having in labels)

    message = situation.pick(SOURCE, STREAM, fits)
    if message is None:
        return []
    labels = [label for label in _labels(message) if label not in drop]
    added = [label for label in add if label not in labels]
    return _put({**message, "labelIds": labels + added})


def mark_read(situation: Situation) -> list[Change]:
    """A message is read."""
    return _relabel(situation, drop=["UNREAD"])


def mark_unread(situation: Situation) -> list[Change]:
    """A message is marked as not read."""
    return _relabel(situation, add=["UNREAD"], having="INBOX")


def star(situation: Situation) -> list[Change]:
    """A message gets a star."""
    return _relabel(situation, add=["STARRED"])


def unstar(situation: Situation) -> list[Change]:
    """A message loses its star."""
    return _relabel(situation, drop=["STARRED"])


def archive(situation: Situation) -> list[Change]:
    """A message leaves the inbox."""
    return _relabel(situation, drop=["INBOX"])


def file_away(situation: Situation) -> list[Change]:
    """A message gets one of the user's own labels."""
    return _relabel(situation, add=[situation.random.choice(list(USER_LABELS))])


def trash(situation: Situation) -> list[Change]:
    """A message goes to the trash, where it still exists."""
    return _relabel(situation, add=["TRASH"], drop=["INBOX"])


def untrash(situation: Situation) -> list[Change]:
    """A message comes back from the trash."""
    return _relabel(situation, add=["INBOX"], drop=["TRASH"], having="TRASH")


def report_spam(situation: Situation) -> list[Change]:
    """A message turns out to be spam."""
    return _relabel(situation, add=["SPAM"], drop=["INBOX"], having="INBOX")


def delete_for_good(situation: Situation) -> list[Change]:
    """A message is deleted without passing through the trash, or out of it."""
    message = situation.pick(SOURCE, STREAM)
    return [Remove(SOURCE, STREAM, message["id"])] if message else []


#: How often each change is proposed, by weight.
MIX: dict[Mutation, int] = {
    receive_mail: 14, receive_reply: 8, mark_read: 10, mark_unread: 2, star: 2, unstar: 1,
    archive: 4, file_away: 2, trash: 4, untrash: 1, report_spam: 1, delete_for_good: 3,
}  # fmt: skip
