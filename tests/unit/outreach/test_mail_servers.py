"""Senders name mail servers that the settings know, and have us connect to no others."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.clients.keyring import new_key
from pipeline.errors import Misconfigured
from pipeline.outreach import channels, credentials, mail_servers
from pipeline.refusals import Refused

INTERNAL = (
    *("smtp://127.0.0.1:6379", "smtp://169.254.169.254", "smtp://10.0.0.7:25", "smtp://redis"),
    *("smtp://mail.example.evil.test", "smtp://mail.example:6379", "smtps://[::1]:465"),
)


@pytest.fixture(autouse=True)
def known_servers(setting: Any) -> None:
    setting(
        ENCRYPTION_KEYS=new_key(),
        SMTP_URL="smtp://user:hunter2@relay.example:2500",
        SMTP_HOSTS="Mail.example, other.example:10025,[2001:db8::1]",
    )


@pytest.mark.parametrize("url", INTERNAL)
def test_a_server_that_no_setting_names_is_not_connected_to(url: str, setting: Any) -> None:
    with pytest.raises(Refused, match="SMTP_HOSTS") as refusal:
        credentials.encrypted("s", "smtp", {"url": url})
    assert refusal.value.field == "credentials.url"
    setting(SMTP_HOSTS=url.partition("//")[2])
    row = {"_id": "s", "provider": "smtp"}
    row["credentials"] = credentials.encrypted("s", "smtp", {"url": url})  # it was listed once
    setting(SMTP_HOSTS="")
    with pytest.raises(Misconfigured, match="SMTP_HOSTS"):
        channels.of(row).verify(row)


@pytest.mark.parametrize(
    "url",
    [
        *("smtp://a:b@MAIL.example", "smtps://mail.example", "smtp://other.example:10025"),
        *("smtp://x:y@relay.example:2500", "smtp://[2001:db8::1]:587"),
    ],
)
def test_those_that_are_listed_and_that_of_the_settings_are(url: str) -> None:
    assert mail_servers.named(url).host in url.lower()


def test_a_list_that_cannot_be_read_lets_nothing_through(setting: Any) -> None:
    setting(SMTP_HOSTS="mail.example:x")
    with pytest.raises(Misconfigured, match="SMTP_HOSTS cannot be read"):
        mail_servers.named("smtp://mail.example")
    with pytest.raises(Refused, match="it does not begin with smtp"):
        credentials.encrypted("s", "smtp", {"url": "http://mail.example"})
