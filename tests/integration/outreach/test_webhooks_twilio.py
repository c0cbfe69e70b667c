"""Twilio's webhooks: what became of an SMS, and what people answer to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import outreach_rows as rows
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from told_events import enrollment, kept, message, sent_message
from twilio.request_validator import RequestValidator

from models.outreach import OutreachDelivery
from pipeline.outreach import events, links, suppressions
from pipeline.outreach.credentials import encrypted
from pipeline.stores import Row, collection
from pipeline.web import webhooks

WEB = "https://headrace.example"
NUMBER = "+4915112345678"
OURS = "+4930123456"
SID = "SM" + "0" * 32
SECRET = "secret"


@pytest.fixture
def web(stores: None, setting: Any) -> Iterator[TestClient]:
    """The webhooks, and a sender of SMS whose account the settings have."""
    setting(PUBLIC_BASE_URL=WEB, TWILIO_ACCOUNT_SID="AC" + "0" * 32, TWILIO_AUTH_TOKEN="secret")
    rows.sender("sms-1", channel="sms", provider="twilio", address=OURS)
    with TestClient(Starlette(routes=webhooks.routes, lifespan=webhooks.lifespan)) as client:
        yield client


def text_message(**fields: Any) -> Row:
    """Have an SMS be sent, of which Twilio knows the sid."""
    known = {"channel": "sms", "provider": "twilio", "sender_id": "sms-1", "provider_id": SID}
    return sent_message(**(known | {"to_address": NUMBER} | fields))


def post(web: TestClient, url: str, token: str = SECRET, **fields: str) -> Any:
    """Send what Twilio sends, signed as its own library signs it."""
    signature = RequestValidator(token).compute_signature(url, fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return web.post(url.removeprefix(WEB), content=urlencode(fields), headers=headers)


def processed() -> Row:
    """Work through the deliveries that wait; return the last."""
    for row in list(collection(OutreachDelivery).find({"open": True})):
        events.process(row["_id"])
    row = collection(OutreachDelivery).find_one({}, sort=[("received_at", -1)])
    assert row is not None
    return row


def status(web: TestClient, message_id: str, state: str, **fields: str) -> Row:
    url = links.status_url("sms-1", message_id)
    answer = post(web, url, MessageSid=SID, MessageStatus=state, To=NUMBER, From=OURS, **fields)
    assert (answer.status_code, answer.content) == (200, b"")
    return processed()


def inbound(web: TestClient, text: str, number: int = 1) -> Row:
    fields = {"MessageSid": f"SM{number:032}", "From": NUMBER, "To": OURS, "Body": text}
    answer = post(web, links.inbound_url("sms-1"), **fields)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text.endswith("<Response/>")
    return processed()


def test_what_became_of_a_message_is_kept_however_often_it_is_told(web: TestClient) -> None:
    sms = text_message()
    for state in ("sent", "delivered", "delivered"):
        status(web, sms["_id"], state)
    assert [event["type"] for event in kept(sms)] == ["delivered"]
    assert message(sms["_id"])["delivered_at"]


def test_a_status_proves_a_message_whose_answer_was_lost(web: TestClient) -> None:
    sms = text_message(state="unknown", provider_id=None)
    done = status(web, sms["_id"], "sent")
    assert message(sms["_id"])["state"] == "sent"
    assert (done["counts"]["noted"], done["tenant_ids"]) == (1, ["acme"])


@pytest.mark.parametrize(
    ("code", "reason"), [("30003", None), ("30005", "bounced"), ("30008", None)]
)
def test_a_number_that_takes_nothing_is_not_written_to_again(
    web: TestClient, code: str, reason: str | None
) -> None:
    sms = text_message()
    status(web, sms["_id"], "undelivered", ErrorCode=code)
    [event] = kept(sms)
    assert event["data"] == {"class": "hard" if reason else "soft", "code": code}
    assert suppressions.why_suppressed("acme", "sms", NUMBER) == reason
    assert enrollment(sms)["status"] == "stopped"


def test_an_answer_counts_as_a_reply_to_the_last_message(web: TestClient) -> None:
    sms = text_message()
    inbound(web, "Yes")  # nobody had asked for no more
    [event] = kept(sms)
    assert (event["type"], event["data"]) == ("replied", {})
    assert enrollment(sms)["status"] == "stopped"


@pytest.mark.parametrize("again", ["START", "yes", "Unstop"])
def test_stop_stops_and_start_takes_it_back(web: TestClient, again: str) -> None:
    sms = text_message()
    inbound(web, " stop. ", 1)
    assert suppressions.why_suppressed("acme", "sms", NUMBER) == "unsubscribed"
    assert enrollment(sms)["status"] == "stopped"
    inbound(web, again, 2)
    assert suppressions.why_suppressed("acme", "sms", NUMBER) is None
    assert [event["type"] for event in kept(sms)] == ["unsubscribed", "resubscribed"]


def test_whoever_was_sent_nothing_yet_is_heard_too(web: TestClient) -> None:
    sms = text_message(state="retryable")  # and an answer does not say that it was
    done = inbound(web, "STOPALL", 1)
    assert suppressions.why_suppressed("acme", "sms", NUMBER) == "unsubscribed"
    assert done["problems"] == ["1 skipped: nothing was sent to this number"]
    inbound(web, "start", 2)
    assert suppressions.why_suppressed("acme", "sms", NUMBER) is None
    assert message(sms["_id"])["state"] == "retryable"


def test_a_sender_with_its_own_account_has_its_own_secret(web: TestClient) -> None:
    account = {"account_sid": "AC" + "1" * 32, "auth_token": "its own"}
    secret = encrypted("sms-2", "twilio", account)
    rows.sender("sms-2", channel="sms", provider="twilio", address="+491", credentials=secret)
    url = links.inbound_url("sms-2")
    fields = {"MessageSid": SID, "From": NUMBER, "Body": "Hello"}
    assert post(web, url, "secret", **fields).status_code == 403
    assert post(web, url, "its own", **fields).status_code == 200


def test_what_is_not_genuine_is_refused_and_leaves_nothing(web: TestClient, setting: Any) -> None:
    url = links.status_url("sms-1", "m1")
    fields = {"MessageSid": SID, "MessageStatus": "delivered"}
    assert post(web, url, "guessed", **fields).status_code == 403
    unsigned = web.post(url.removeprefix(WEB), data=fields)
    assert (unsigned.status_code, "X-Twilio-Signature" in unsigned.text) == (401, True)
    signature = RequestValidator("secret").compute_signature(url, fields)
    other = links.status_url("sms-1", "m2").removeprefix(WEB)
    moved = web.post(other, data=fields, headers={"X-Twilio-Signature": signature})
    assert moved.status_code == 403
    assert post(web, links.status_url("nobody", "m1"), **fields).status_code == 404
    setting(TWILIO_AUTH_TOKEN="")
    nothing_set = post(web, url, **fields)
    assert (nothing_set.status_code, "TWILIO_AUTH_TOKEN" in nothing_set.text) == (503, True)
    assert collection(OutreachDelivery).count_documents({}) == 0


def test_a_form_without_a_sid_is_named(web: TestClient) -> None:
    sms = text_message()
    post(web, links.status_url("sms-1", sms["_id"]), MessageStatus="delivered")
    done = processed()
    assert (done["status"], done["problems"]) == ("partial", ["MessageSid: It is missing, or none"])
    assert done["expires_at"] - done["received_at"] == timedelta(days=7)
