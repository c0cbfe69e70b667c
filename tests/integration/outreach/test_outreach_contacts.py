"""Contacts, senders and tenants: kept, changed, forgotten; what is wrong is said by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from outreach_rows import (
    BY,
    TENANT,
    campaign,
    contacts,
    enrollment,
    happened,
    on,
    plan,
    send,
    sender,
    sent,
)

from models import (
    AuditLog,
    Contact,
    Enrollment,
    OutboundMessage,
    OutreachEvent,
    ScheduledAction,
    SenderIdentity,
    Suppression,
    Tenant,
    User,
)
from pipeline.clients.keyring import check_keys, new_key
from pipeline.config import settings
from pipeline.errors import Gone, Misconfigured, Permanent
from pipeline.outreach import contacts as service
from pipeline.outreach import senders, suppressions, tenants
from pipeline.outreach.credentials import decrypted
from pipeline.refusals import Refused
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.users import belongings

pytestmark = pytest.mark.usefixtures("stores")

ADA = {"email": " Ada@Shop.example ", "phone": "+49 30 901820", "first_name": "Ada"}


def refused(act: Callable[..., Any], *arguments: Any) -> str:
    """Return the field that is refused, and why."""
    with pytest.raises(Refused) as caught:
        act(TENANT, *arguments, by=BY)
    return str(caught.value)


def test_a_contact_is_kept_in_one_form_and_changed_by_field() -> None:
    contact_id = service.create(TENANT, ADA | {"fields": {"seats": 3, "plan": "gold"}}, by=BY)
    row = service.update(
        TENANT, contact_id, {"last_name": "King", "phone": "", "fields": {"plan": None}}, by=BY
    )
    assert (row["email"], row["first_name"], row["last_name"]) == (
        "ada@shop.example",
        "Ada",
        "King",
    )
    assert "phone" not in row
    assert row["fields"] == {"seats": 3}
    assert service.find(TENANT, "ADA@shop.example")["_id"] == contact_id
    with pytest.raises(Gone):
        service.get("other", contact_id)
    assert refused(service.create, ADA) == "email: another contact has it already"
    assert "without one nothing can be sent" in refused(service.create, {"first_name": "Bob"})
    assert refused(service.update, contact_id, {"email": None}).startswith("email: give")
    assert {row["action"] for row in collection(AuditLog).find()} == {
        "contact.create",
        "contact.update",
    }


def test_forgetting_a_contact_leaves_nothing_that_says_who_it_was() -> None:
    [contact_id] = contacts(prefix="person", phone="+4930901820")
    [other] = contacts(prefix="other")
    campaign_id = campaign(plan(send("hello", on("replied", "stop"))), [contact_id, other])
    message_id = sent(campaign_id, contact_id)
    address = service.get(TENANT, contact_id)["email"]
    collection(OutboundMessage).update_one(
        {"_id": message_id}, {"$set": {"to_address": address, "subject": "Hello Grace"}}
    )
    happened(message_id, "clicked", data={"url": "https://shop.example/?for=grace"})
    suppressions.suppress(
        None, TENANT, "email", address, reason="bounced", source="test", contact_id=contact_id
    )
    done = service.forget(TENANT, contact_id, by=BY)
    assert (done.before, done.messages, done.enrollments) == (False, 1, 1)
    for model in (Contact, Enrollment, OutboundMessage, OutreachEvent, ScheduledAction):
        for row in collection(model).find(
            {"$or": [{"_id": contact_id}, {"contact_id": contact_id}]}
        ):
            told = str(row)
            for one in (address, "901820", "Grace", "for=grace"):
                assert one not in told, model
    assert enrollment(campaign_id, contact_id)["status"] == "stopped"
    assert enrollment(campaign_id, other)["status"] == "active"
    assert suppressions.why_suppressed(TENANT, "email", address) == "bounced"
    [kept] = collection(Suppression).find()
    assert address not in str(kept)
    assert service.forget(TENANT, contact_id, by=BY).before
    with pytest.raises(Permanent, match="was forgotten"):
        service.update(TENANT, contact_id, {"first_name": "Grace"}, by=BY)
    assert service.create(TENANT, {"email": address}, by=BY) != contact_id


def test_a_tenant_has_what_it_sets_and_nothing_else() -> None:
    assert tenants.get(TENANT)["sends_per_hour"] is None
    said = {"name": "Acme", "sends_per_hour": 5, "postal_address": "1 Long Road"}
    assert tenants.update(TENANT, said, by=BY)["name"] == "Acme"
    after = tenants.update(TENANT, {"sends_per_hour": None}, by=BY)
    assert (after["sends_per_hour"], after["postal_address"]) == (None, "1 Long Road")
    assert "0 or more" in refused(tenants.update, {"sends_per_hour": -1})
    assert "there is no such field" in refused(tenants.update, {"outreach_paused": True})
    assert collection(Tenant).count_documents({}) == 1


SALES = {"name": "Sales", "provider": "sendgrid", "address": "Sales@Acme.example"}


def test_a_sender_keeps_its_secret_to_itself_and_is_verified_anew_after_a_change() -> None:
    said = SALES | {"credentials": {"api_key": "SG.secret"}, "limits": {"per_hour": 5}}
    sender_id = senders.create(TENANT, said, by=BY)
    row = senders.get(TENANT, sender_id)
    assert (row["address"], row["channel"], row["status"]) == (
        "sales@acme.example",
        "email",
        "unverified",
    )
    assert "SG.secret" not in str(row)
    assert decrypted(row) == {"api_key": "SG.secret"}
    assert "SG.secret" not in str(list(collection(AuditLog).find()))
    verified = {"$set": {"status": "verified"}}
    collection(SenderIdentity).update_one({"_id": sender_id}, verified)
    assert senders.update(TENANT, sender_id, {"name": "Shop"}, by=BY)["status"] == "verified"
    moved = senders.update(TENANT, sender_id, {"provider": "smtp"}, by=BY)
    assert (moved["status"], decrypted(moved)) == ("unverified", None)
    assert "already" in refused(senders.create, SALES)
    assert "carries no email" in refused(senders.update, sender_id, {"provider": "twilio"})
    assert "needs account_sid and auth_token" in refused(
        senders.create,
        {**SALES, "provider": "twilio", "address": "+4930901820", "credentials": {"token": "x"}},
    )
    assert refused(senders.create, {**SALES, "address": "sales"}).startswith("address: ")
    assert refused(senders.update, sender_id, {"limits": {"per_day": -1}}).startswith("limits.")
    assert "no such user" in refused(senders.update, sender_id, {"user_id": "ada"})


def test_only_a_sender_that_nothing_was_sent_from_is_deleted() -> None:
    used, unused = sender(), senders.create(TENANT, SALES, by=BY)
    campaign(plan(send("hello")), contacts())
    assert "a campaign sends from it" in refused(senders.delete, used)
    senders.delete(TENANT, unused, by=BY)
    assert senders.disable(TENANT, used, by=BY, reason="leaked")["status_reason"] == "leaked"
    assert "it is disabled" in refused(senders.verify, used)
    assert senders.enable(TENANT, used, by=BY)["status"] == "unverified"
    assert senders.pause(TENANT, used, by=BY)["is_paused"]
    assert not senders.resume(TENANT, used, by=BY)["is_paused"]


def test_a_provider_says_whether_it_takes_messages_from_a_sender(sandbox: SandboxClient) -> None:
    refused_one = SALES | {"credentials": {"api_key": "SG.wrong"}}
    sender_id = senders.create(TENANT, refused_one, by=BY)
    failing = senders.verify(TENANT, sender_id, by=BY)
    assert failing["status"] == "failing"
    assert failing["status_reason"]
    assert "SG.wrong" not in failing["status_reason"]
    own = settings().sendgrid_api_key.get_secret_value()
    senders.update(TENANT, sender_id, {"credentials": {"api_key": own}}, by=BY)
    unknown = senders.verify(TENANT, sender_id, by=BY)
    assert (unknown["status"], "SendGrid" in unknown["status_reason"]) == ("failing", True)
    sandbox.sendgrid_domain("acme.example")
    found = senders.verify(TENANT, sender_id, by=BY)
    assert (found["status"], found.get("status_reason")) == ("verified", None)


def test_keys_of_senders_are_missed_and_a_users_senders_let_go_of_them(
    setting: Callable[..., None],
) -> None:
    collection(User).insert_one({"_id": "ada", "tenant_id": TENANT})
    sender_id = senders.create(
        TENANT, SALES | {"user_id": "ada", "credentials": {"api_key": "SG.secret"}}, by=BY
    )
    assert belongings.left("ada")["senders that name them"] == 1
    assert dict(belongings.delete_rest("ada"))["senders that name them"] == 1
    assert "user_id" not in senders.get(TENANT, sender_id)
    old = settings().encryption_keys.get_secret_value().partition(":")[0]
    setting(ENCRYPTION_KEYS=new_key())
    with pytest.raises(Misconfigured, match=f"lacks '{old}'"):
        check_keys()
