"""What recipients do with mail, and what SendGrid's Event Webhook tells of it."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import requests
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from waiting import wait_until

from pipeline.sandbox.app import running
from pipeline.sandbox.client import SandboxClient, SandboxError
from pipeline.sandbox.outreach import SENDGRID_API_KEY, SENDGRID_WEBHOOK_PUBLIC_KEY

SENDER = "sales@sandbox.example"


@pytest.fixture(autouse=True)
def clean(sandbox):
    sandbox.clear_outreach()
    yield
    sandbox.clear_outreach()


@pytest.fixture
def told(sandbox, receiver):
    """Whoever takes events, at `receiver.url`/events."""
    sandbox.settings(sendgrid_batch_seconds=0.02)
    sandbox.sendgrid_webhook(f"{receiver.url}/events")
    return receiver


def _send(sandbox, *to, html="<p>Hi", headers=None, **more):
    body = {
        "personalizations": [{"to": [{"email": address}]} for address in to],
        "from": {"email": SENDER},
        "subject": "Hello",
        "content": [{"type": "text/html", "value": html}],
        "headers": headers or {},
        **more,
    }
    answer = requests.post(
        f"{sandbox.base_url}/v3/mail/send",
        json=body,
        headers={"authorization": f"Bearer {SENDGRID_API_KEY}"},
        timeout=10,
    )
    assert answer.status_code == 202, answer.text


def _genuine(sandbox, push):
    webhook = EventWebhook(sandbox.sendgrid_public_key())
    return webhook.verify_signature(
        push.body.decode(),
        push.headers[EventWebhookHeader.SIGNATURE.lower()],
        push.headers[EventWebhookHeader.TIMESTAMP.lower()],
    )


def _events(receiver, path="/events"):
    return [event for push in receiver.received if push.path == path for event in _body(push)]


def _body(push):
    return json.loads(push.body)


def _kinds(receiver, address=None):
    return [e["event"] for e in _events(receiver) if address in (None, e["email"])]


def test_a_signed_batch_tells_what_became_of_mail(sandbox, told):
    assert sandbox.sendgrid_public_key() == SENDGRID_WEBHOOK_PUBLIC_KEY
    custom = {"tenant_id": "t1", "outbound_message_id": "m1"}
    _send(sandbox, "ada@example.org", custom_args=custom, categories=["campaign"])
    _send(sandbox, "bob@example.org", custom_args={"tenant_id": "t2"})
    sandbox.wait_until_outreach_is_quiet()
    assert all(_genuine(sandbox, push) for push in told.received)
    assert all(b"\r\n" in push.body for push in told.received), "as SendGrid writes it"
    first, second = [event for event in _events(told) if event.get("tenant_id") == "t1"]
    assert (first["event"], second["event"]) == ("processed", "delivered")
    [message] = sandbox.inbox("ada@example.org")
    assert first["sg_message_id"].split(".")[0] == message["provider_id"]
    assert first["smtp-id"] == message["headers"]["Message-ID"]
    assert (first["category"], first["outbound_message_id"]) == (["campaign"], "m1")
    assert isinstance(first["timestamp"], int)
    assert len({event["sg_event_id"] for event in _events(told)}) == 4
    assert {event["state"] for event in sandbox.sendgrid_events()} == {"told"}
    told.received.clear()
    old = sandbox.sendgrid_public_key()
    assert sandbox.sendgrid_rotate_key() != old
    _send(sandbox, "ada@example.org")
    sandbox.wait_until_outreach_is_quiet()
    assert _genuine(sandbox, told.received[0])


def test_habits_become_events(sandbox, told):
    sandbox.recipient("*@gone.example", arrival="bounced")
    sandbox.recipient("wall@x.example", arrival="blocked")
    sandbox.recipient("slow@x.example", arrival="deferred", deferrals=2, deferred_seconds=0.02)
    sandbox.recipient(
        "keen@x.example",
        machine_opens_after=0.0,
        opens_after=0.03,
        clicks_after=0.06,
        clicks_link=1,
    )
    sandbox.recipient("angry@x.example", reports_spam_after=0.02)
    sandbox.recipient(
        "leaving@x.example", unsubscribes_after=0, unsubscribes_by="provider_unsubscribe"
    )
    names = ("a@gone.example", "wall@x.example", "slow@x.example", "keen@x.example",
             "angry@x.example", "leaving@x.example")  # fmt: skip
    html = '<a href="https://x.example/0">0</a> <a href="https://x.example/1?a=1&amp;b">1</a>'
    _send(sandbox, *names, html=html)
    wait_until(
        lambda: "click" in _kinds(told) and "delivered" in _kinds(told, "slow@x.example"),
        "all has happened",
        every_seconds=0.01,
    )
    sandbox.wait_until_outreach_is_quiet()
    happened = {name: Counter(_kinds(told, name)) for name in names}
    assert happened["a@gone.example"] == Counter(processed=1, bounce=1)
    assert happened["wall@x.example"] == Counter(processed=1, bounce=1)
    assert happened["slow@x.example"] == Counter(processed=1, deferred=2, delivered=1)
    assert happened["keen@x.example"] == Counter(processed=1, delivered=1, open=2, click=1)
    assert happened["angry@x.example"] == Counter(processed=1, delivered=1, spamreport=1)
    assert happened["leaving@x.example"] == Counter(processed=1, delivered=1, unsubscribe=1)
    types = {e["email"]: e["type"] for e in _events(told) if e["event"] == "bounce"}
    assert types == {"a@gone.example": "bounce", "wall@x.example": "blocked"}
    opens = sorted(e["sg_machine_open"] for e in _events(told) if e["event"] == "open")
    assert opens == [False, True]
    assert (
        next(e["url"] for e in _events(told) if e["event"] == "click")
        == "https://x.example/1?a=1&b"
    )
    assert {row["to"]: row["status"] for row in sandbox.inbox()} == {
        **dict.fromkeys(names, "delivered"),
        "a@gone.example": "bounced",
        "wall@x.example": "blocked",
    }
    told.received.clear()
    _send(sandbox, *names)
    sandbox.wait_until_outreach_is_quiet()
    drops = {e["email"]: e["reason"] for e in _events(told) if e["event"] == "dropped"}
    assert drops == {
        "a@gone.example": "Bounced Address",
        "angry@x.example": "Spam Reporting Address",
        "leaving@x.example": "Unsubscribed Address",
    }
    assert sandbox.inbox("a@gone.example")[-1]["status"] == "dropped"


def test_recipients_act_on_command_and_follow_what_is_on_this_machine(sandbox, told):
    leave = f"{told.url}/u/token"
    html = (
        f'<a href="{told.url}/c/1">a</a><a href="{leave}2">leave</a>'
        f'<a href="https://elsewhere.example/2">b</a><img src="https://elsewhere.example/p.gif">'
    )
    headers = {
        "List-Unsubscribe": f"<mailto:leave@sandbox.example>, <{leave}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    _send(sandbox, "ada@example.org", html=html, headers=headers, asm={"group_id": 5})
    [message] = sandbox.inbox("ada@example.org")
    act = lambda name, **how: sandbox.recipient_act(message["id"], name, **how)  # noqa: E731
    assert act("open") == "not on this machine"
    assert act("click", link=1) == "not on this machine"
    assert act("click", link=7) == "no such link"
    assert act("unsubscribe") == "204"
    act("group_unsubscribe")
    act("group_resubscribe")
    act("reply", text="Yes!")
    sandbox.wait_until_outreach_is_quiet()
    [leaving] = [push for push in told.received if push.path == "/u/token"]
    assert leaving.body == b"List-Unsubscribe=One-Click"
    acts = {"open", "click", "group_unsubscribe", "group_resubscribe"}
    assert set(_kinds(told)) == {"processed", "delivered", *acts}
    done = [(row["act"], row["outcome"]) for row in sandbox.recipient_acts("ada@example.org")]
    assert ("unsubscribe", "204") in done
    assert ("reply", "no mailbox here") in done
    with pytest.raises(SandboxError, match="no such message"):
        sandbox.recipient_act("unknown", "open")


def test_one_click_is_tried_again_while_the_server_is_away(sandbox, told):
    told.answer = lambda push: 500 if push.path == "/u" and told.tries.pop(0) else 204
    told.tries = [True, True, False]
    sandbox.recipient("ada@example.org", unsubscribes_after=0)
    headers = {
        "List-Unsubscribe": f"<{told.url}/u>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    _send(sandbox, "ada@example.org", headers=headers)
    wait_until(
        lambda: [row["outcome"] for row in sandbox.recipient_acts()] == ["204"],
        "it went through",
        every_seconds=0.01,
    )


def test_a_late_bounce_does_not_know_its_message(sandbox, told):
    _send(sandbox, "ada@example.org", custom_args={"outbound_message_id": "m1"})
    [message] = sandbox.inbox("ada@example.org")
    sandbox.recipient_act(message["id"], "late_bounce")
    sandbox.wait_until_outreach_is_quiet()
    [bounce] = [event for event in _events(told) if event["event"] == "bounce"]
    assert "sg_message_id" not in bounce
    assert (bounce["type"], bounce["outbound_message_id"]) == ("bounce", "m1")
    assert sandbox.sendgrid_account()["suppressions"] == [
        {"address": "ada@example.org", "kind": "bounce", "group_id": 0}
    ]


def test_tracking_that_is_off_tells_nothing(sandbox, told):
    off = {f"{name}_tracking": {"enable": False} for name in ("open", "click", "subscription")}
    sandbox.recipient("*", opens_after=0, clicks_after=0, unsubscribes_after=0)
    html = '<a href="https://x.example/">x</a>'
    _send(sandbox, "ada@example.org", html=html, tracking_settings=off)
    sandbox.wait_until_outreach_is_quiet()
    assert _kinds(told) == ["processed", "delivered"]


def test_a_reply_comes_to_the_senders_mailbox(sandbox, new_user, sign_in):
    user = new_user()
    address = next(u.email for u in sandbox.users() if u.user == user)
    headers = {"Message-ID": "<m1@headrace>"}
    _send(sandbox, "ada@example.org", headers=headers, reply_to={"email": address})
    [message] = sandbox.inbox("ada@example.org")
    assert sandbox.recipient_act(message["id"], "reply", text="Yes!") == "to google_gmail"
    [(_, _, mail)] = [row for row in sandbox.truth(user, "google_gmail") if row[0] == "messages"]
    found = {header["name"]: header["value"] for header in mail["payload"]["headers"]}
    assert (found["From"], found["In-Reply-To"]) == ("ada@example.org", "<m1@headrace>")
    sandbox.open_mailbox(user)
    assert sandbox.recipient_act(message["id"], "reply", text="No!") == "to microsoft_mail"
    [answer] = sandbox.mail_messages(user, "inbox")
    assert answer["subject"] == "Re: Hello"
    assert {"name": "In-Reply-To", "value": "<m1@headrace>"} in answer["internetMessageHeaders"]


def _settled(sandbox, told, address="ada@example.org"):
    _send(sandbox, address)
    sandbox.wait_until_outreach_is_quiet()
    pushes = [push for push in told.received if push.path == "/events"]
    told.received.clear()
    return pushes


def test_batches_are_tried_again_lost_doubled_and_split(sandbox, told):
    told.answer_with(500, 503)
    first, second, third = _settled(sandbox, told)
    assert first.body == second.body == third.body
    sandbox.fault("push_lose", match={"api": "sendgrid"})
    assert _settled(sandbox, told) == []
    assert [event["state"] for event in sandbox.sendgrid_events()] == ["told"] * 2 + ["lost"] * 2
    for kind in ("push_duplicate", "push_unanswered"):
        sandbox.fault(kind, match={"api": "sendgrid"})
        first, second = _settled(sandbox, told)
        assert first.body == second.body
    sandbox.fault("push_split", match={"api": "sendgrid"})
    singles = _settled(sandbox, told)
    assert sorted(event["event"] for push in singles for event in _body(push)) == [
        "delivered",
        "processed",
    ]
    assert len(singles) == 2
    told.answer = lambda _: 500
    sandbox.settings(push_attempts=2)
    assert len(_settled(sandbox, told)) == 2
    assert sandbox.sendgrid_events()[-1]["state"] == "failed"


def test_batches_overtake_each_other(sandbox, told):
    sandbox.fault("push_reorder", match={"api": "sendgrid"}, params={"seconds": 0.3})
    _send(sandbox, "late@x.example")
    wait_until(
        lambda: sandbox.pushes()["outcomes"].get("delayed"), "it is kept back", every_seconds=0.01
    )
    _send(sandbox, "early@x.example")
    sandbox.wait_until_outreach_is_quiet()
    assert [event["email"][:4] for event in _events(told)] == ["earl"] * 2 + ["late"] * 2


@pytest.mark.parametrize("how", ["wrong_key", "changed", "unsigned", "stale"])
def test_forgeries_come_before_the_truth(sandbox, told, how):
    told.answer_with(403)
    sandbox.fault("push_forge", match={"api": "sendgrid"}, params={"how": how})
    lie, truth = _settled(sandbox, told)
    assert {event["event"] for event in _body(lie)} == {"unsubscribe"}
    assert _genuine(sandbox, truth)
    if how in ("wrong_key", "changed"):
        assert not _genuine(sandbox, lie)
    assert sandbox.sendgrid_webhook_settings()["forgeries"] == {"403": 1}


def test_events_of_another_environment_come_in_between(sandbox, told):
    sandbox.fault("push_foreign", match={"api": "sendgrid"})
    [push] = _settled(sandbox, told)
    assert _genuine(sandbox, push)
    places = [event.get("environment") for event in _body(push)]
    assert places == ["elsewhere", None, "elsewhere", None]


def test_what_is_planned_and_not_told_outlives_a_restart(tmp_path, told):
    path, hour = str(tmp_path / "sandbox.sqlite3"), 3600
    with running(path) as url:
        first = SandboxClient(url)
        first.recipient("ada@example.org", opens_after=hour)
        first.settings(push_backoff_seconds=0.2, push_attempts=20)
        first.sendgrid_webhook(f"{told.url}/events", events=["delivered", "open"])
        key = first.sendgrid_rotate_key()
        told.answer = lambda _: 500
        _send(first, "ada@example.org")
        told.wait_for(1)
        first.close()
    told.answer = lambda _: 204
    told.received.clear()
    with running(path) as url:
        second = SandboxClient(url)
        assert second.sendgrid_public_key() == key
        assert [row["to"] for row in second.inbox()] == ["ada@example.org"]
        second.wait_until_outreach_is_quiet()
        assert _kinds(told) == ["delivered"]
        second.clock(hour)
        wait_until(lambda: _kinds(told)[1:] == ["open"], "it is opened", every_seconds=0.01)
        second.clear_outreach()
        assert second.inbox() == second.recipients() == second.recipient_acts() == []
        assert second.sendgrid_public_key() == SENDGRID_WEBHOOK_PUBLIC_KEY
        second.close()
