"""What recipients do comes back to us by the providers' real ways, and what follows from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from sending_rows import Case
from told_events import kept, message
from waiting import wait_until

from models.outreach import OutreachDelivery
from pipeline.outreach import events, suppressions
from pipeline.sandbox.app import bind
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.outreach import TWILIO_NUMBER
from pipeline.sandbox.outreach.twilio_client import have_number
from pipeline.stores import Row, collection
from pipeline.web.app import create_app


@pytest.fixture
def address(sandbox: SandboxClient, setting: Any) -> Iterator[str]:
    """Where the web is served, which SendGrid tells events."""
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    hook = sandbox.sendgrid_webhook(f"{url}/webhooks/sendgrid/events")
    sandbox.settings(sendgrid_batch_seconds=0.05)
    setting(PUBLIC_BASE_URL=url, SENDGRID_WEBHOOK_PUBLIC_KEYS=hook["public_key"])
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield url
    server.should_exit = True
    thread.join()
    listening.close()


def told(sandbox: SandboxClient, sent: Row, *wanted: str) -> None:
    """Wait until these events of a message are known, and work through what comes meanwhile."""

    def known() -> bool:
        for row in list(collection(OutreachDelivery).find({"open": True}, {"_id": 1})):
            events.process(row["_id"])
        return set(wanted) <= {event["type"] for event in kept(sent)}

    sandbox.wait_until_outreach_is_quiet()
    wait_until(known, f"known: {', '.join(wanted)}")


def test_sendgrid_tells_what_recipients_do_twice_and_in_any_order(
    sandbox: SandboxClient, address: str
) -> None:
    case = Case("sendgrid")
    for kind in ("push_duplicate", "push_reorder"):
        sandbox.fault(kind, times=1, match={"api": "sendgrid"})
    case.send()
    sent = case.message
    [mail] = sandbox.inbox()
    for act in ("open", "machine_open"):
        sandbox.recipient_act(mail["id"], act)
    sandbox.recipient_act(mail["id"], "click", url="https://shop.example/a?to=ada#b")
    told(sandbox, sent, "delivered", "opened", "clicked")
    assert case.enrollment["status"] == "completed"
    sandbox.recipient_act(mail["id"], "spam")
    told(sandbox, sent, "spam_report")
    assert suppressions.why_suppressed("acme", "email", sent["to_address"]) == "spam_report"
    times = message(sent["_id"])
    assert times["delivered_at"] <= times["opened_at"] <= times["clicked_at"]


def test_mail_by_smtp_tells_by_its_own_links(sandbox: SandboxClient, address: str) -> None:
    case = Case("smtp")
    case.send()
    sent = case.message
    [mail] = sandbox.inbox()
    assert sandbox.recipient_act(mail["id"], "open").startswith("200")
    assert sandbox.recipient_act(mail["id"], "unsubscribe").startswith("200")
    told(sandbox, sent, "opened", "unsubscribed")
    assert case.enrollment["status"] == "stopped"
    assert suppressions.why_suppressed("acme", "email", sent["to_address"]) == "unsubscribed"


def test_text_messages_tell_by_callbacks_links_and_answers(
    sandbox: SandboxClient, sandbox_url: str, address: str
) -> None:
    case = Case("twilio")
    inbound = f"{address}/webhooks/twilio/{case.sender_id}/inbound"
    have_number(sandbox_url, TWILIO_NUMBER, sms_url=inbound)
    case.send()
    sent = case.message
    [text] = sandbox.inbox()
    told(sandbox, sent, "delivered")
    sandbox.recipient_act(text["id"], "click")
    told(sandbox, sent, "clicked")
    assert case.enrollment["status"] == "completed"
    sandbox.sms_reply(text["id"], "Stop")
    told(sandbox, sent, "unsubscribed")
    assert suppressions.why_suppressed("acme", "sms", sent["to_address"]) == "unsubscribed"
