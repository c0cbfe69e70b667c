"""How a message is written for a provider, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.sending_errors import Refused
from pipeline.clients.smtp import _wire_form
from pipeline.errors import Misconfigured
from pipeline.outreach.channels import Outgoing, content_hash
from pipeline.outreach.channels import sendgrid as sendgrid_channel
from pipeline.outreach.channels.headers import one_line
from pipeline.outreach.channels.smtp import mail

NASTY = st.lists(
    st.sampled_from(["\r\n", "\n", "\r", "\0", "\x85", "\u2028", "Bcc: eve@evil.test", ": ", "é"])
    | st.text(max_size=8),
    max_size=8,
).map("".join)


@dataclass(frozen=True)
class Words:
    subject: str
    html: str | None
    text: str


def outgoing(subject: str = "Hello", text: str = "Text", html: str | None = None) -> Outgoing:
    return Outgoing(
        "1" * 32,
        "ada@example.com",
        Words(subject, html, text),
        headers={"List-Unsubscribe": f"<https://app.test/u/{'x' * 300}>", "Bcc": "eve@evil.test"},
        message_id_header="<1@app.test>",
        custom_args={"tenant_id": "acme", "campaign_id": "spring"},
    )


@given(NASTY, NASTY, NASTY)
def test_nothing_gets_out_of_the_header_it_was_put_into(name: str, subject: str, text: str) -> None:
    sender = {"address": "sales@acme.test", "display_name": name}
    message = outgoing(subject, text)
    written = _wire_form(mail(sender, message))
    head, _, _ = written.partition(b"\r\n\r\n")
    read = message_from_bytes(head + b"\r\n\r\n", policy=default)
    assert [header.lower() for header in read] == [
        *("from", "to", "subject", "date", "list-unsubscribe", "message-id"),
        *("content-type", "content-transfer-encoding", "mime-version"),
    ]
    assert read["To"] == "ada@example.com"
    assert read["From"].addresses[0].addr_spec == "sales@acme.test"
    assert written.isascii()
    assert written.endswith(b"\r\n.\r\n")
    assert max(len(line) for line in written.split(b"\r\n")) <= 998


@given(st.lists(st.sampled_from([".", "..", "a", "é", "", "x" * 1200]), max_size=6))
def test_a_mail_is_read_as_it_was_written(lines: list[str]) -> None:
    text, html = "\n".join(lines) + "\n", f"<p>{'<br>'.join(lines)}</p>\n"
    wire = _wire_form(mail({"address": "sales@acme.test"}, outgoing("Grüße", text, html)))
    inner = wire.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    assert b"\r\n.\r\n" not in wire.removesuffix(b"\r\n.\r\n")
    read = message_from_bytes(inner, policy=default)
    for kind, expected in (("plain", text), ("html", html)):
        part = read.get_body((kind,))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n") == expected
    assert read["Subject"] == "Grüße"


def test_one_long_word_stays_as_it_is() -> None:
    written = _wire_form(mail({"address": "sales@acme.test"}, outgoing()))
    assert f"List-Unsubscribe: <https://app.test/u/{'x' * 300}>\r\n".encode() in written
    assert b"Message-ID: <1@app.test>\r\n" in written


def test_addresses_that_are_none_are_told_apart_by_whose_they_are() -> None:
    with pytest.raises(Refused) as refusal:
        mail({"address": "sales@acme.test"}, Outgoing("1", "nobody", Words("a", None, "b")))
    assert refusal.value.is_address
    with pytest.raises(Misconfigured):
        mail({"address": "sales"}, outgoing())


@given(NASTY, NASTY)
def test_sendgrid_gets_single_lines_and_its_own_headers_stay_its_own(
    name: str, subject: str
) -> None:
    sender = {"address": "sales@acme.test", "display_name": name, "reply_to": "re@acme.test"}
    written = sendgrid_channel.mail(sender, outgoing(subject, html="<p>Hi</p>"))
    lines = (written["subject"], written["from"].get("name", ""))
    assert all(line == one_line(line) and len(line.splitlines()) <= 1 for line in lines)
    assert not set(written["from"].get("name", "")) & set(",;")
    assert set(written["headers"]) == {"List-Unsubscribe", "Message-ID"}
    assert [part["type"] for part in written["content"]] == ["text/plain", "text/html"]
    assert written["categories"] == ["campaign:spring", "tenant:acme"]
    assert not written["tracking_settings"]["subscription_tracking"]["enable"]


def test_the_hash_of_a_text_is_of_what_is_read() -> None:
    words = Words("ignored", "<p>", "Hello")
    assert content_hash("sms", words) == content_hash("sms", Words("", None, "Hello"))
    assert content_hash("email", words) != content_hash("email", Words("", "<p>", "Hello"))
