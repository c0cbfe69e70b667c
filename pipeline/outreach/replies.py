"""Replies: mail in a sender's own mailbox that answers what was sent for them.

A reply names the Message-ID that it answers.  Mail that goes by SMTP keeps ours.  SendGrid
takes one among a mail's headers, which its list of reserved ones does not name; if it gives mail
its own instead, that begins with its X-Message-Id, by which it is found too.
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from pymongo import ASCENDING
from pymongo.errors import ConnectionFailure

from models import Connection, Record, SyncState
from models.outreach import OutboundMessage, SenderIdentity
from pipeline.outreach import mail_headers
from pipeline.outreach.events.matching import FIELDS
from pipeline.outreach.events.recording import recorded
from pipeline.outreach.events.told import Event, Told
from pipeline.outreach.mail_headers import Mail
from pipeline.stores import Row, collection

_SOURCES: dict[str, Callable[[Row], Mail]] = {
    "google_gmail": mail_headers.gmail,
    "microsoft_mail": mail_headers.microsoft,
}
#: Mails that are looked at in one step, and steps of one mailbox in one run.
_CHUNK = 500
_MOST_STEPS = 20
#: No name of SendGrid's for a message is shorter.
_SHORTEST_PROVIDER_ID = 12


def find() -> str:
    """Look through what has landed in senders' mailboxes; say in words how many replies it was.

    Safe to repeat: how far each mailbox was looked through is noted after what it held.  Raises
    what went wrong with the first mailbox that could not be looked through; the others are.
    """
    found, errors = 0, []
    for sender in collection(SenderIdentity).find({"user_id": {"$gt": ""}, "channel": "email"}):
        for source in _SOURCES:
            try:
                found += _look_through(sender, source)
            except ConnectionFailure:
                raise
            except Exception as error:  # noqa: BLE001 - raised once the others were looked through
                errors.append(error)
    if errors:
        raise errors[0]
    return f"{found:,} new {'reply' if found == 1 else 'replies'}"


def _look_through(sender: Row, source: str) -> int:
    """Look through one mailbox from where we stopped, up to what has landed for good."""
    state = collection(SyncState).find_one(
        {"user_id": sender["user_id"], "source": source}, {"seq": 1}
    )
    after, found = (sender.get("reply_seqs") or {}).get(source, 0), 0
    for _ in range(_MOST_STEPS):
        if state is None or after >= state["seq"]:
            break
        records = _landed(sender["user_id"], source, after, state["seq"])
        found += _take(sender, source, records)
        after = records[-1]["seq"] if len(records) == _CHUNK else state["seq"]
        done: Row = {"$max": {f"reply_seqs.{source}": after}}
        collection(SenderIdentity).update_one({"_id": sender["_id"]}, done)
    return found


def _landed(user_id: str, source: str, after: int, until: int) -> list[Row]:
    wanted: Row = {"user_id": user_id, "source": source, "seq": {"$gt": after, "$lte": until}}
    return list(collection(Record).find(wanted).sort("seq", ASCENDING).limit(_CHUNK))


def _take(sender: Row, source: str, records: Sequence[Row]) -> int:
    """Record the replies among landed mails; return how many were new."""
    mails = [(row, _SOURCES[source](row["item"])) for row in records if _is_mail(row)]
    own = _own_addresses(sender)
    replies = [(row, mail) for row, mail in mails if _may_be_reply(mail, own)]
    messages = _answered(sender, [name for _, mail in replies for name in mail.answers])
    events = [
        Event(_told(source, row, mail), message)
        for row, mail in replies
        if (message := _first(messages, mail.answers)) is not None
    ]
    return len(recorded(events).new) if events else 0


def _is_mail(record: Row) -> bool:
    """Return whether a record is a message that is there: not a folder, not deleted."""
    item = record.get("item") or {}
    return record.get("deleted_at") is None and ("payload" in item or "receivedDateTime" in item)


def _may_be_reply(mail: Mail, own: Collection[str]) -> bool:
    """Return whether a person may have answered: not a program, nor the sender once more."""
    by_us = mail.is_own or mail.from_address in own
    return bool(mail.answers) and not by_us and not mail.is_automatic


def _own_addresses(sender: Row) -> set[str]:
    """Return the addresses under which the sender writes: in a thread, their own mail refers to
    what was sent for them, too."""
    found = collection(Connection).find({"user_id": sender["user_id"]}, {"email": 1})
    own = {row.get("email") for row in found} | {sender["address"], sender.get("reply_to")}
    return {address.lower() for address in own if address}


def _answered(sender: Row, names: Iterable[str]) -> dict[str, Row]:
    """Return a sender's messages by the Message-IDs that they are answered under."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    by_provider_id = {_provider_id(name): name for name in wanted if _provider_id(name)}
    of_sender = {"tenant_id": sender["tenant_id"], "sender_id": sender["_id"]}
    either: list[Row] = [
        {"message_id_header": {"$in": wanted}},
        {"provider_id": {"$in": sorted(by_provider_id)}},
    ]
    fields = (*FIELDS, "message_id_header")
    found: dict[str, Row] = {}
    for row in collection(OutboundMessage).find(of_sender | {"$or": either}, fields):
        found[row.get("message_id_header") or ""] = row
        found[by_provider_id.get(row.get("provider_id") or "", "")] = row
    found.pop("", None)
    return found


def _provider_id(name: str) -> str:
    """Return what of a Message-ID may be the provider's name for the message, or nothing."""
    local = name.strip("<>").partition("@")[0]
    return local if len(local) >= _SHORTEST_PROVIDER_ID else ""


def _first(messages: dict[str, Row], names: Iterable[str]) -> Row | None:
    return next((messages[name] for name in names if name in messages), None)


def _told(source: str, record: Row, mail: Mail) -> Told:
    provider = source.partition("_")[0]
    return Told(
        id=f"{provider}:{bytes(record['_id']).hex()}",
        provider=provider,
        type="replied",
        occurred_at=mail.at,
    )
