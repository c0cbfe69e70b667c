"""Python's own mail client against the sandbox's mail server."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from pipeline.sandbox.app import running
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.outreach import SMTP_PASSWORD, SMTP_USER


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """Base URL and mail port of a sandbox that takes mail."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(smtp_port=port) as base_url:
        yield base_url, port


@pytest.fixture
def post_office(server: tuple[str, int]) -> Iterator[SandboxClient]:
    client = SandboxClient(server[0])
    client.clear_outreach()
    yield client
    client.clear_faults()
    client.close()


@pytest.fixture
def smtp(server: tuple[str, int]) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP("127.0.0.1", server[1], timeout=5)
    client.ehlo()
    yield client
    client.close()


def mail(*to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Zoë <zoe@acme.test>", ", ".join(to)
    message["Subject"], message["Message-ID"] = "Grüße", "<1@acme.test>"
    message.set_content("Grüße.\n.\n..and dots")
    message.add_alternative("<p>Grüße</p>", subtype="html")
    return message


def sign_in(smtp: smtplib.SMTP) -> smtplib.SMTP:
    smtp.login(SMTP_USER, SMTP_PASSWORD)
    return smtp


def test_mail_comes_to_everybody_as_it_was_written(
    post_office: SandboxClient, smtp: smtplib.SMTP
) -> None:
    refused = sign_in(smtp).send_message(mail("ada@example.com", "berta@example.com"))
    assert refused == {}
    ada, berta = post_office.inbox()
    assert [ada["to"], berta["to"]] == ["ada@example.com", "berta@example.com"]
    assert (ada["subject"], ada["from"]) == ("Grüße", "Zoë <zoe@acme.test>")
    assert (ada["text"], ada["html"]) == ("Grüße.\n.\n..and dots\n", "<p>Grüße</p>\n")
    assert (ada["channel"], ada["provider"], ada["status"]) == ("email", "smtp", "delivered")
    assert ada["headers"]["Message-ID"] == "<1@acme.test>"


def test_only_who_signs_in_may_send(post_office: SandboxClient, smtp: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        smtp.send_message(mail("ada@example.com"))
    assert refusal.value.smtp_code == 530
    with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
        smtp.login(SMTP_USER, "guessed")
    assert wrong.value.smtp_code == 535
    rule = {"params": {"code": 454, "message": "4.7.0 Temporary authentication failure"}}
    post_office.fault("status", match={"api": "smtp", "method": "auth"}, times=2, **rule)
    with pytest.raises(smtplib.SMTPAuthenticationError) as passing:
        smtp.login(SMTP_USER, SMTP_PASSWORD)
    assert passing.value.smtp_code == 454
    assert post_office.inbox() == []


def test_steps_are_refused_for_whom_a_fault_says_so(
    post_office: SandboxClient, smtp: smtplib.SMTP
) -> None:
    sign_in(smtp)
    match = {"api": "smtp", "method": "rcpt", "user": "gone@*"}
    post_office.fault("status", match=match, params={"code": 550, "message": "5.1.1 Nobody"})
    refused = smtp.send_message(mail("ada@example.com", "gone@example.com"))
    assert refused == {"gone@example.com": (550, b"5.1.1 Nobody")}
    post_office.fault("status", match={"api": "smtp", "method": "data"}, params={"code": 452})
    with pytest.raises(smtplib.SMTPDataError) as full:
        smtp.send_message(mail("ada@example.com"))
    assert full.value.smtp_code == 452
    assert [found["to"] for found in post_office.inbox()] == ["ada@example.com"]
    rows = [row for row in post_office.usage() if row["api"] == "smtp" and row["code"] == 452]
    assert [(row["method"], row["calls"]) for row in rows] == [("data", 1)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_answer_to_a_mail_can_be_lost(
    post_office: SandboxClient, smtp: smtplib.SMTP, when: str
) -> None:
    match = {"api": "smtp", "method": "data"}
    post_office.fault("drop", match=match, params={"when": when})
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sign_in(smtp).send_message(mail("ada@example.com"))
    assert len(post_office.inbox()) == (when == "after")
