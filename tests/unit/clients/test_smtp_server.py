from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.smtp_server import MailServer, parse
from pipeline.errors import Misconfigured

WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), min_size=1)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test", MailServer("mail.test", 25)),
        ("smtps://mail.test/", MailServer("mail.test", 465, is_tls=True)),
        ("smtp://a:b@mail.test", MailServer("mail.test", 587, user="a", password="b")),
        (
            "smtps://a%40x.test:p%2Fq@mail.test:2465",
            MailServer("mail.test", 2465, is_tls=True, user="a@x.test", password="p/q"),
        ),
        ("smtp://[::1]:2525", MailServer("::1", 2525)),
    ],
)
def test_an_address_names_server_and_user(url: str, server: MailServer) -> None:
    assert parse(url, "SMTP_URL") == server


@given(WORDS, WORDS, st.integers(1, 65535), st.booleans())
def test_users_and_passwords_may_be_anything(
    user: str, password: str, port: int, is_tls: bool
) -> None:
    scheme = "smtps" if is_tls else "smtp"
    url = f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@mail.test:{port}"
    assert parse(url, "SMTP_URL") == MailServer("mail.test", port, is_tls, user, password)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "mail.test:25",
            "http://mail.test",
            "smtp://",
            "smtp://:25",
            "smtp://a b",
            "smtp://x:0",
        ),
        *("smtp://mail.test:99999", "smtp://mail.test:x", "smtp://[::1", "smtp://mail.test/inbox"),
        *("smtp://hunter2@mail.test", "smtp://:hunter2@mail.test", "smtp://a:hun#ter2@mail.test"),
        "smtp://a:hunter2%0d%0aQUIT@mail.test",
    ],
)
def test_bad_addresses_name_the_setting_and_nothing_of_the_secret(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"^SMTP_URL cannot be read: ") as refusal:
        parse(url, "SMTP_URL")
    assert "hunter2" not in str(refusal.value)


@given(st.text())
def test_whatever_is_given_is_read_or_refused(text: str) -> None:
    for url in (text, f"smtp://{text}", f"smtps://a:{text}@mail.test"):
        try:
            server = parse(url, "SMTP_URL")
        except Misconfigured:
            continue
        assert server.host
        assert not any(character in server.user + server.password for character in "\r\n\0")


def test_the_password_is_in_no_text_about_the_server() -> None:
    assert "hunter2" not in repr(parse("smtp://a:hunter2@mail.test", "SMTP_URL"))


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("mx", False)],
)
def test_only_this_machine_is_local(host: str, is_local: bool) -> None:
    assert MailServer(host, 25).is_local is is_local
