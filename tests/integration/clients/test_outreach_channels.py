"""The three channels against the sandbox: what was sent, what was not, and what cannot be said."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.outreach import OutboundMessage
from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.errors import HeadraceError, Misconfigured, RateLimited
from pipeline.outreach import channels, credentials
from pipeline.outreach.channels import Absent, Found, Outgoing, Unsure
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.outreach import TWILIO_NUMBER
from pipeline.sandbox.outreach.twilio_checks import NO_PERMISSION_TO, NO_SMS_TO
from pipeline.sandbox.population import EMAIL_DOMAIN
from pipeline.stores import Row, collection

PROVIDERS = ("sendgrid", "smtp", "twilio")
#: The request that carries a message, as faults name it.
SENDING = {"sendgrid": "mail.send", "smtp": "data", "twilio": "messages.create"}
Setting = Callable[..., None]


@dataclass(frozen=True)
class Words:
    subject: str
    html: str | None
    text: str


WORDS = Words("Grüße, Ada", '<p>Hello <a href="https://shop.test/a">there</a></p>', "Hello there.")


def sender(provider: str, **changes: Any) -> Row:
    address = TWILIO_NUMBER if provider == "twilio" else f"sales@{EMAIL_DOMAIN}"
    row = {"_id": f"from-{provider}", "tenant_id": "acme", "provider": provider}
    return row | {"address": address, "display_name": "Sales; Acme, Inc."} | changes


def outgoing(provider: str, number: int = 1, **changes: Any) -> Outgoing:
    message_id = f"{number:032x}"
    made = Outgoing(
        message_id,
        f"+4915550000{number:03d}" if provider == "twilio" else f"ada{number}@example.com",
        WORDS,
        headers={
            "List-Unsubscribe": f"<https://app.test/u/{'x' * 120}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        message_id_header=f"<{message_id}@app.test>",
        custom_args={
            "tenant_id": "acme",
            "campaign_id": "spring",
            "outbound_message_id": message_id,
        },
    )
    return replace(made, **changes)


def handed_over(provider: str, message: Outgoing, seconds_ago: float = 0.0) -> Row:
    """The ledger's row of a message."""
    channel = "sms" if provider == "twilio" else "email"
    return {
        "_id": message.message_id,
        "tenant_id": "acme",
        "to_address": message.to,
        "content_hash": channels.content_hash(channel, message.content),
        "handed_over_at": datetime.now(UTC) - timedelta(seconds=seconds_ago),
    }


def send(provider: str, message: Outgoing, **of_sender: Any) -> str:
    row = sender(provider, **of_sender)
    return channels.of(row).send(row, message).provider_id


def lookup(provider: str, message: Outgoing, seconds_ago: float = 0.0) -> Any:
    row = sender(provider)
    return channels.of(row).lookup(row, handed_over(provider, message, seconds_ago))


def fails(provider: str, message: Outgoing, **of_sender: Any) -> HeadraceError:
    with pytest.raises(HeadraceError) as failure:
        send(provider, message, **of_sender)
    assert message.to not in str(failure.value)
    return failure.value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_message_arrives_with_all_that_it_carries(sandbox: SandboxClient, provider: str) -> None:
    message = outgoing(provider)
    found = send(provider, message, reply_to="ada@acme.test")
    (arrived,) = sandbox.inbox()
    assert (arrived["to"], arrived["provider"]) == (message.to, provider)
    assert arrived["provider_id"].startswith(found)
    assert found
    assert arrived["text"].strip() == WORDS.text
    if provider != "twilio":
        headers = {name.lower(): value for name, value in arrived["headers"].items()}
        assert arrived["subject"] == WORDS.subject
        assert arrived["html"].strip() == WORDS.html
        assert headers["message-id"] == message.message_id_header
        assert headers["list-unsubscribe"] == message.headers["List-Unsubscribe"]
        assert "Sales" in arrived["from"]
    if provider == "sendgrid":
        assert arrived["custom_args"] == dict(message.custom_args)
        assert arrived["categories"] == ["campaign:spring", "tenant:acme"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_leaves_open_whether_it_was_sent(
    sandbox: SandboxClient, provider: str, when: str, setting: Setting
) -> None:
    setting(PROVIDER_TIMEOUT_SECONDS=5)
    match = {"api": provider, "method": SENDING[provider]}
    sandbox.fault("drop", match=match, params={"when": when})
    message = outgoing(provider)
    assert isinstance(fails(provider, message), Unanswered)
    was_taken = when == "after"
    assert len(sandbox.inbox()) == was_taken
    asked_soon, asked_later = lookup(provider, message), lookup(provider, message, 20)
    if provider == "smtp":
        assert isinstance(asked_later, Unsure)
    elif was_taken:
        assert isinstance(asked_soon, Found)
        assert sandbox.inbox()[0]["provider_id"].startswith(asked_soon.provider_id)
        assert abs(asked_soon.at - datetime.now(UTC)) < timedelta(minutes=1)
    else:
        assert isinstance(asked_soon, Unsure)
        assert isinstance(asked_later, Absent if provider == "twilio" else Unsure)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_certainly_did_not_arrive_is_told_apart(
    sandbox: SandboxClient, provider: str, setting: Setting
) -> None:
    match = {"api": provider, "method": SENDING[provider]}
    code = 451 if provider == "smtp" else 503
    sandbox.fault("status", match=match, params={"code": code})
    assert isinstance(fails(provider, outgoing(provider)), NotTaken)
    if provider != "smtp":
        sandbox.fault("status", match=match, params={"code": 429, "retry_after": 7})
        limited = fails(provider, outgoing(provider))
        assert isinstance(limited, RateLimited)
        assert 5 <= limited.retry_after_seconds <= 8
        sandbox.fault("status", match=match, params={"code": 500})
        assert isinstance(fails(provider, outgoing(provider)), Unanswered)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    setting(
        SENDGRID_API_BASE_URL=f"http://127.0.0.1:{port}",
        TWILIO_API_BASE_URL=f"https://127.0.0.1:{port}",
        SMTP_URL=f"smtp://127.0.0.1:{port}",
    )
    assert isinstance(fails(provider, outgoing(provider)), NotTaken)
    assert sandbox.inbox() == []


def test_slow_providers_are_waited_for_only_so_long(
    sandbox: SandboxClient, setting: Setting
) -> None:
    setting(PROVIDER_TIMEOUT_SECONDS=0.3)
    for provider in PROVIDERS:
        match = {"api": provider, "method": SENDING[provider]}
        sandbox.fault("hang", match=match, params={"seconds": 0.8, "when": "after"})
        assert isinstance(fails(provider, outgoing(provider)), Unanswered)
    assert len(sandbox.inbox()) == len(PROVIDERS)


@pytest.mark.parametrize(
    ("provider", "to"),
    [("sendgrid", "ada@nowhere"), ("smtp", "nobody@example.com"), ("twilio", NO_SMS_TO)],
)
def test_a_bad_address_is_refused_for_good(sandbox: SandboxClient, provider: str, to: str) -> None:
    gone = {"code": 550, "message": "5.1.1 nobody@example.com: no such user"}
    sandbox.fault("status", match={"api": "smtp", "method": "rcpt", "user": to}, params=gone)
    refusal = fails(provider, outgoing(provider, to=to))
    assert isinstance(refusal, Refused)
    assert refusal.is_address
    assert sandbox.inbox() == []


def test_other_refusals_hold_nothing_against_the_address(sandbox: SandboxClient) -> None:
    long = outgoing("twilio", content=Words("", None, "x" * 1601))
    rule = {"match": {"api": "smtp", "method": "data"}, "params": {"code": 554}}
    sandbox.fault("status", **rule)
    for provider, message in (
        ("twilio", long),
        ("twilio", outgoing("twilio", to=NO_PERMISSION_TO)),
        ("smtp", outgoing("smtp")),
        ("sendgrid", outgoing("sendgrid", content=Words("", None, "no subject"))),
    ):
        refusal = fails(provider, message)
        assert isinstance(refusal, Refused)
        assert not refusal.is_address
    # The connection to the mail server is as good as before.
    send("smtp", outgoing("smtp"))
    assert len(sandbox.inbox()) == 1


def test_who_has_said_stop_is_told_apart(sandbox: SandboxClient) -> None:
    send("twilio", outgoing("twilio"))
    sandbox.recipient_act(sandbox.inbox()[0]["id"], "reply", text="Stop")
    refusal = fails("twilio", outgoing("twilio"))
    assert isinstance(refusal, Refused)
    assert refusal.is_opt_out
    assert not refusal.is_address


def own_credentials(provider: str, secrets: dict[str, str]) -> Row:
    return {"credentials": credentials.encrypted(f"from-{provider}", provider, secrets)}


@pytest.mark.parametrize(
    ("provider", "wrong"),
    [
        ("sendgrid", {"api_key": "SG.unknown"}),
        ("smtp", {"url": "smtp://sandbox:guessed@127.0.0.1:{port}"}),
        ("twilio", {"account_sid": f"AC{'0' * 32}", "auth_token": "guessed"}),
    ],
)
def test_a_senders_own_credentials_are_used_and_refused_as_such(
    sandbox: SandboxClient, provider: str, wrong: dict[str, str]
) -> None:
    from pipeline.config import settings

    port = settings().smtp_url.get_secret_value().rpartition(":")[2]
    own = own_credentials(provider, {name: text.format(port=port) for name, text in wrong.items()})
    refusal = fails(provider, outgoing(provider), **own)
    assert isinstance(refusal, Misconfigured)
    assert "guessed" not in str(refusal)
    row = sender(provider, **own)
    with pytest.raises(Misconfigured):
        channels.of(row).verify(row)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_sender_is_verified_without_sending(sandbox: SandboxClient, provider: str) -> None:
    if provider == "sendgrid":
        sandbox.sendgrid_sender(sender(provider)["address"])
    row = sender(provider)
    channels.of(row).verify(row)
    if provider != "smtp":
        foreign = sender(provider, address="+15005550010" if provider == "twilio" else "x@y.test")
        with pytest.raises(Misconfigured, match=r"number|verified sender"):
            channels.of(foreign).verify(foreign)
    assert sandbox.inbox() == []


def test_a_key_without_the_right_to_send_is_not_verified(sandbox: SandboxClient) -> None:
    sandbox.sendgrid_key("SG.reads", ["whitelabel.read"])
    own = own_credentials("sendgrid", {"api_key": "SG.reads"})
    row = sender("sendgrid", **own)
    with pytest.raises(Misconfigured, match=r"mail\.send"):
        channels.of(row).verify(row)
    assert isinstance(fails("sendgrid", outgoing("sendgrid"), **own), Misconfigured)


def test_mail_goes_over_connections_that_are_kept(
    sandbox: SandboxClient, requests_of: Callable[..., int]
) -> None:
    for number in range(1, 4):
        send("smtp", outgoing("smtp", number))
    assert requests_of("smtp", "auth") <= 1
    assert [mail["to"] for mail in sandbox.inbox()] == [f"ada{n}@example.com" for n in (1, 2, 3)]


def test_a_text_that_belongs_to_another_message_is_not_taken_for_ours(
    sandbox: SandboxClient, setting: Setting
) -> None:
    setting(PROVIDER_TIMEOUT_SECONDS=5)
    first = send("twilio", outgoing("twilio"))
    collection(OutboundMessage).insert_one(
        {"_id": "another", "dedupe_key": "another", "provider_id": first}
    )
    assert isinstance(lookup("twilio", outgoing("twilio"), 20), Absent)
    other = send("twilio", outgoing("twilio", content=Words("", None, "Something else")))
    assert isinstance(lookup("twilio", outgoing("twilio"), 20), Unsure)
    collection(OutboundMessage).insert_one({"_id": "b", "dedupe_key": "b", "provider_id": other})
    changed = sender("twilio", verified_at=datetime.now(UTC))
    row = handed_over("twilio", outgoing("twilio"), 20)
    assert isinstance(channels.of(changed).lookup(changed, row), Unsure)
    second = send("twilio", outgoing("twilio"))
    found = lookup("twilio", outgoing("twilio"), 20)
    assert isinstance(found, Found)
    assert found.provider_id == second


def test_an_account_without_email_activity_leaves_it_open(sandbox: SandboxClient) -> None:
    sandbox.settings(sendgrid_activity_enabled=False)
    try:
        send("sendgrid", outgoing("sendgrid"))
        assert isinstance(lookup("sendgrid", outgoing("sendgrid"), 600), Unsure)
    finally:
        sandbox.settings(sendgrid_activity_enabled=True)
