"""Twilio's own client library against the sandbox, and its check of what is posted to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from push_receiver import Received, Receiver
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.outreach import TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_NUMBER
from pipeline.sandbox.outreach.twilio_checks import (
    FULL_QUEUE_FROM,
    INVALID_TO,
    NO_PERMISSION_TO,
    NO_SMS_TO,
)
from pipeline.sandbox.outreach.twilio_client import have_number

ADA, BERTA = "+491555000001", "+491555000002"


class _Redirected(TwilioHttpClient):
    """Asks the sandbox in place of Twilio."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=10)
        self._base_url = base_url
        self.session.trust_env = False

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        moved = url.replace("https://api.twilio.com", self._base_url)
        return super().request(method, moved, *args, **kwargs)


@pytest.fixture
def twilio(sandbox: SandboxClient) -> Iterator[Client]:
    sandbox.clear_outreach()
    http = _Redirected(sandbox.base_url)
    yield Client(TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, http_client=http)
    http.session.close()


@pytest.fixture
def send(twilio: Client) -> Callable[..., Any]:
    def made(to: str = ADA, body: str = "Hello", **more: Any) -> Any:
        return twilio.messages.create(**{"to": to, "from_": TWILIO_NUMBER, "body": body} | more)

    return made


def form_of(post: Received) -> dict[str, str]:
    return dict(parse_qsl(post.body.decode(), keep_blank_values=True))


def is_signed(receiver: Receiver, post: Received, token: str = TWILIO_AUTH_TOKEN) -> bool:
    url = f"{receiver.url}{post.path}"
    signature = post.headers["x-twilio-signature"]
    return bool(RequestValidator(token).validate(url, form_of(post), signature))


def test_a_message_is_sent_told_of_and_found_again(
    twilio: Client, send: Callable[..., Any], receiver: Receiver, sandbox: SandboxClient
) -> None:
    message = send(status_callback=f"{receiver.url}/status?message=1&x=a%20b")
    assert (message.status, message.direction, message.num_segments) == (
        *("queued", "outbound-api"),
        "1",
    )
    posts = receiver.wait_for(2)
    assert all(is_signed(receiver, post) for post in posts)
    assert not is_signed(receiver, posts[0], "another token")
    told = [form_of(post) for post in posts]
    assert {form["MessageStatus"] for form in told} == {"sent", "delivered"}
    assert {(form["MessageSid"], form["To"], form["From"]) for form in told} == {
        (message.sid, ADA, TWILIO_NUMBER)
    }
    found = twilio.messages(message.sid).fetch()
    assert (found.status, found.body, found.error_code) == ("delivered", "Hello", None)
    assert abs(found.date_sent - datetime.fromisoformat(sandbox.clock())) < timedelta(minutes=1)
    assert [sms["text"] for sms in sandbox.inbox(ADA)] == ["Hello"]


@pytest.mark.parametrize(
    ("arrival", "status", "code"),
    [("bounced", "undelivered", "30005"), ("dropped", "failed", "30008")],
)
def test_what_does_not_arrive_is_told_with_a_code(
    sandbox: SandboxClient,
    send: Callable[..., Any],
    receiver: Receiver,
    arrival: str,
    status: str,
    code: str,
) -> None:
    sandbox.recipient(ADA, arrival=arrival)
    send(status_callback=receiver.url)
    told = {form_of(post)["MessageStatus"]: form_of(post) for post in receiver.wait_for(2)}
    assert set(told) == {"sent", status}
    assert told[status]["ErrorCode"] == code


def test_lists_are_filtered_and_paged(
    twilio: Client, send: Callable[..., Any], sandbox: SandboxClient
) -> None:
    sent = [send(to, f"number {n}") for n, to in enumerate((ADA, BERTA, ADA, ADA, ADA))]
    found = twilio.messages.list(to=ADA, from_=TWILIO_NUMBER, page_size=2)
    assert [sms.body for sms in found] == ["number 4", "number 3", "number 2", "number 0"]
    now = datetime.fromisoformat(sandbox.clock())
    soon, yesterday = now + timedelta(hours=1), now - timedelta(days=1)
    assert len(twilio.messages.list(date_sent_after=yesterday, date_sent_before=soon)) == len(sent)
    assert twilio.messages.list(date_sent_before=yesterday) == []
    assert twilio.messages.list(date_sent=yesterday) == []
    assert len(twilio.messages.list(to=ADA, limit=3)) == 3


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": INVALID_TO}, 400, 21211),
        ({"to": "12"}, 400, 21211),
        ({"to": NO_SMS_TO}, 400, 21614),
        ({"to": NO_PERMISSION_TO}, 400, 21408),
        ({"to": TWILIO_NUMBER}, 400, 21266),
        ({"to": ""}, 400, 21604),
        ({"body": ""}, 400, 21602),
        ({"body": "x" * 1601}, 400, 21617),
        ({"from_": "+15005550010"}, 400, 21606),
        ({"from_": FULL_QUEUE_FROM}, 429, 21611),
        ({"status_callback": "nowhere"}, 400, 21609),
    ],
)
def test_what_twilio_would_not_take_is_refused_in_its_words(
    send: Callable[..., Any],
    sandbox: SandboxClient,
    change: dict[str, str],
    status: int,
    code: int,
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        send(**change)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert sandbox.inbox() == []


def test_strangers_are_not_let_in(twilio: Client, sandbox: SandboxClient) -> None:
    stranger = Client(TWILIO_ACCOUNT_SID, "guessed", http_client=twilio.http_client)
    with pytest.raises(TwilioRestException) as refusal:
        stranger.api.accounts(TWILIO_ACCOUNT_SID).fetch()
    assert (refusal.value.status, refusal.value.code) == (401, 20003)
    sandbox.fault("status", match={"api": "twilio"}, params={"code": 429, "retry_after": 3})
    with pytest.raises(TwilioRestException) as limited:
        twilio.api.accounts(TWILIO_ACCOUNT_SID).fetch()
    assert (limited.value.status, limited.value.code) == (429, 20429)


def test_answers_come_to_the_number_and_stop_is_honoured(
    twilio: Client, send: Callable[..., Any], receiver: Receiver, sandbox: SandboxClient
) -> None:
    have_number(sandbox.base_url, sms_url=f"{receiver.url}/inbound")
    (number,) = twilio.incoming_phone_numbers.list(phone_number=TWILIO_NUMBER)
    assert (number.sms_url, number.capabilities["sms"]) == (f"{receiver.url}/inbound", True)
    assert twilio.api.accounts(TWILIO_ACCOUNT_SID).fetch().status == "active"
    send()
    received = sandbox.inbox(ADA)[0]["id"]
    sandbox.sms_reply(received, "Tell me more & more")
    (answer,) = receiver.wait_for(1)
    assert is_signed(receiver, answer)
    form = form_of(answer)
    assert (form["From"], form["To"], form["Body"]) == (ADA, TWILIO_NUMBER, "Tell me more & more")
    sandbox.recipient_act(received, "unsubscribe")
    assert form_of(receiver.wait_for(2)[1])["Body"] == "STOP"
    with pytest.raises(TwilioRestException) as refusal:
        send()
    assert refusal.value.code == 21610
    send(BERTA)
    sandbox.sms_reply(received, "start")
    send()
    assert [sms.direction for sms in twilio.messages.list(from_=ADA)] == ["inbound"] * 3


def test_posts_come_again_get_lost_or_come_twice(
    send: Callable[..., Any], receiver: Receiver, sandbox: SandboxClient
) -> None:
    receiver.answer_with(500)
    sandbox.fault("push_duplicate", match={"api": "twilio", "user": BERTA})
    sandbox.fault("push_lose", match={"api": "twilio", "user": BERTA})
    sandbox.fault("push_delay", match={"api": "twilio", "user": ADA}, params={"seconds": 0.05})
    send(ADA, status_callback=f"{receiver.url}/ada")
    sandbox.wait_until_outreach_is_quiet()
    assert len(receiver.received) == 3
    send(BERTA, status_callback=f"{receiver.url}/berta")
    sandbox.wait_until_outreach_is_quiet()
    of_berta = [form_of(post) for post in receiver.received if post.path == "/berta"]
    assert len(of_berta) == 2
    assert of_berta[0] == of_berta[1]
