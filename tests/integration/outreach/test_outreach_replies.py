"""Replies are found in the senders' own mailboxes, once, and only those that people wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import outreach_rows as rows
import pytest
from landed_mail import LandedMail
from mail_items import mail_item
from told_events import HOUR, enrollment, kept, message, sent_message

from models import Connection, Record, SyncState
from models.outreach import OutboundMessage, SenderIdentity
from pipeline.outreach import replies
from pipeline.stores import Row, collection

pytestmark = pytest.mark.usefixtures("stores")


def sent_from_a_mailbox(prefix: str = "contact", **fields: Any) -> Row:
    """Have a mail be sent from a sender whose mailbox is synced."""
    known = {"message_id_header": f"<{prefix}@sender.example>"} | fields
    sent = sent_message(prefix, **known)
    collection(SenderIdentity).update_one({"_id": "sender-1"}, {"$set": {"user_id": "ada"}})
    return sent


def answer(mail_id: str, answered: str, at: datetime, **headers: str) -> Row:
    """Return a mail that answers another, as Microsoft's lands."""
    named = {"In-Reply-To": answered} | {n.replace("_", "-"): v for n, v in headers.items()}
    return mail_item(
        id=mail_id,
        receivedDateTime=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        internetMessageHeaders=[{"name": n, "value": v} for n, v in named.items()],
    )


def test_a_reply_is_found_once_and_stops_what_is_under_way() -> None:
    sent, other = sent_from_a_mailbox("one"), sent_from_a_mailbox("two")
    box, at = LandedMail(), sent["sent_at"] + HOUR
    assert replies.find() == "0 new replies"
    own = {"emailAddress": {"address": "Ada@acme.example"}}
    collection(Connection).insert_one(
        {"user_id": "ada", "provider": "microsoft", "email": "ada@acme.example"}
    )
    box.land(
        answer("m0", "<one@sender.example>", at) | {"from": own},  # goes on to write herself
        answer("m1", "<somebody.elses@example.com>", at),
        answer("m2", "<lost@example.com>", at, References="<one@sender.example> <x@y.z>"),
        answer("m3", "<two@sender.example>", at, Auto_Submitted="auto-replied"),
    )
    assert replies.find() == "1 new reply"
    assert replies.find() == "0 new replies"
    [event] = kept(sent)
    assert (event["type"], event["provider"], event["occurred_at"]) == ("replied", "microsoft", at)
    assert (enrollment(sent)["status"], enrollment(sent)["reason"]) == ("stopped", "replied")
    assert message(sent["_id"])["replied_at"] == at
    assert enrollment(other)["status"] == "active"
    collection(SenderIdentity).update_one({"_id": "sender-1"}, {"$set": {"reply_seqs": {}}})
    assert replies.find() == "0 new replies"  # all is looked through again, and known


def test_a_reply_in_gmail_is_found_by_the_name_that_sendgrid_gave_the_mail() -> None:
    sent = sent_from_a_mailbox(provider_id="14c5d75ce93dfd64b469", message_id_header=None)
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    _gmail("g0", at, ["SENT"], "<14c5d75ce93dfd64b469@geopod-ismtpd-1>", seq=1)
    assert replies.find() == "0 new replies"
    _gmail("g1", at, ["INBOX"], "<14c5d75ce93dfd64b469@geopod-ismtpd-1>", seq=2)
    assert replies.find() == "1 new reply"
    [event] = kept(sent)
    assert (event["provider"], event["occurred_at"]) == ("google", at)


def test_what_is_landed_but_not_published_waits() -> None:
    sent = sent_from_a_mailbox()
    at = datetime.now(UTC)
    _gmail("g1", at, ["INBOX"], "<contact@sender.example>", seq=1, published=0)
    assert replies.find() == "0 new replies"
    collection(SyncState).update_one({"user_id": "ada"}, {"$set": {"seq": 1}})
    assert replies.find() == "1 new reply"
    assert kept(sent)


def test_mail_of_another_tenants_sender_is_not_answered_here() -> None:
    sent = sent_from_a_mailbox()
    theirs = {"tenant_id": "other", "sender_id": "sender-2"}
    collection(OutboundMessage).update_one({"_id": sent["_id"]}, {"$set": theirs})
    rows.sender("sender-2", tenant_id="other")
    _gmail("g1", datetime.now(UTC), ["INBOX"], "<contact@sender.example>", seq=1)
    assert replies.find() == "0 new replies"


def test_a_mailbox_that_cannot_be_looked_through_keeps_no_other_from_it() -> None:
    rows.sender("before", tenant_id="other", user_id="bob")
    sent = sent_from_a_mailbox()
    key = {"user_id": "bob", "source": "google_gmail"}
    odd = {"internalDate": "yesterday", "payload": {"headers": []}}
    record = {"_id": b"odd", "stream": "messages", "item_id": "odd", "seq": 1, "item": odd}
    collection(Record).insert_one(key | record | {"generation": 1, "landed_at": sent["sent_at"]})
    collection(SyncState).insert_one(key | {"seq": 1, "status": "idle"})
    _gmail("g1", datetime.now(UTC), ["INBOX"], "<contact@sender.example>", seq=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="yesterday"):
            replies.find()
        assert [event["type"] for event in kept(sent)] == ["replied"]


def _gmail(
    mail_id: str, at: datetime, labels: list[str], answered: str, *, seq: int, published: int = -1
) -> None:
    """Land a mail of Gmail's that answers another."""
    headers = [{"name": "From", "value": "Grace <grace@example.com>"}]
    headers.append({"name": "In-Reply-To", "value": answered})
    item = {
        "id": mail_id,
        "labelIds": labels,
        "internalDate": str(int(at.timestamp() * 1000)),
        "payload": {"mimeType": "text/plain", "headers": headers},
    }
    key = {"user_id": "ada", "source": "google_gmail"}
    record = key | {"_id": mail_id.encode(), "stream": "messages", "item_id": mail_id, "seq": seq}
    collection(Record).insert_one(record | {"item": item, "generation": 1, "landed_at": at})
    state = {"seq": seq if published < 0 else published, "status": "idle"}
    collection(SyncState).update_one(key, {"$set": state}, upsert=True)
