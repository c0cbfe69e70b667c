"""E-mail addresses have one spelling, and no header can break the reading of them."""

from __future__ import annotations

import unicodedata
from email.header import Header
from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.graph.addresses import Mailbox, decoded, domain_of, mailboxes, normalise

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs")), min_size=1, max_size=30)
LOCAL = st.from_regex(r"[a-z0-9]([a-z0-9.+_-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda local: ".." not in local
)
DOMAIN = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z]{2,6}){1,3}", fullmatch=True)
ADDRESSES = st.builds("{}@{}".format, LOCAL, DOMAIN)


@pytest.mark.parametrize(
    ("written", "one_spelling"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ("  ada@example.org\n", "ada@example.org"),
        ("jo\u0308rg@example.org", "j\u00f6rg@example.org"),
        ('"ada lovelace"@example.org', '"ada lovelace"@example.org'),
    ],
)
def test_an_address_has_one_spelling(written: str, one_spelling: str) -> None:
    assert normalise(written) == one_spelling


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  ",
        "ada",
        "@example.org",
        "ada@",
        "a@b c",
        "a@<b>",
        None,
        7,
        ["a@b"],
        "a" * 400 + "@b.c",
    ],
)
def test_what_is_no_address_is_none(written: object) -> None:
    assert normalise(written) is None


@given(st.text(max_size=60))
def test_normalising_twice_is_normalising_once(written: str) -> None:
    address = normalise(written)
    assert address is None or normalise(address) == address


@given(ADDRESSES)
def test_every_ordinary_address_stays_itself_in_any_case(address: str) -> None:
    assert normalise(address.upper()) == address
    assert domain_of(address) == address.split("@")[1]


@given(st.lists(st.tuples(WORDS, ADDRESSES), min_size=1, max_size=6, unique_by=lambda p: p[1]))
def test_a_well_formed_header_gives_back_each_address_and_name(
    people: list[tuple[str, str]],
) -> None:
    header = ", ".join(formataddr(person, charset="utf-8") for person in people)

    found = mailboxes([header])

    assert [mailbox.address for mailbox in found] == [address for _, address in people]
    for mailbox, (name, address) in zip(found, people, strict=True):
        written = " ".join(name.split())
        assert mailbox.name in (written or None, None if written == address else written)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"Doe, Jane" <Jane@Example.org>', [("jane@example.org", "Doe, Jane")]),
        ("=?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <j@x.de>", [("j@x.de", "Jörg Müller")]),
        ("=?utf-8?B?SsO2cmc=?= =?utf-8?B?TcO8bGxlcg==?= <j@x.de>", [("j@x.de", "JörgMüller")]),
        (
            "Team: a@x.de, B <b@x.de>;, c@x.de",
            [("a@x.de", None), ("b@x.de", "B"), ("c@x.de", None)],
        ),
        ("undisclosed-recipients:;", []),
        ("a@x.de, A@X.DE", [("a@x.de", None)]),
        ("j@x.de (Jane Doe)", [("j@x.de", "Jane Doe")]),
        ("Jane\r\n <j@x.de>,\r\n k@x.de", [("j@x.de", "Jane"), ("k@x.de", None)]),
        ("j@x.de <j@x.de>", [("j@x.de", None)]),
        ("=?no-such-charset?B?SsO2cmc=?= <j@x.de>", [("j@x.de", "=?no-such-charset?B?SsO2cmc=?=")]),
        ("", []),
        ("MAILER-DAEMON", []),
    ],
)
def test_headers_as_mail_programs_write_them(
    header: str, expected: list[tuple[str, str | None]]
) -> None:
    assert mailboxes([header]) == [Mailbox(*pair) for pair in expected]


@given(st.lists(st.text(max_size=200), max_size=3))
def test_no_header_breaks_the_reading(headers: list[str]) -> None:
    for mailbox in mailboxes(headers):
        assert "@" in mailbox.address
        assert mailbox.address == normalise(mailbox.address)
        mailbox.address.encode()
        (mailbox.name or "").encode()


FRAGMENTS = st.sampled_from(
    ["a@b.c", "<", ">", '"', "\\", ",", ";", ":", "(", ")", "@", "=?utf-8?B?", "?=", "=?x?q?=00",
     " ", "\r\n ", "[", "]", ".", "é", "=?utf-8?q?=FF=FE?=", "=?utf-7?b?K0FBQQ==?=", "\x00",
     "\ud800"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_no_mixture_of_mail_syntax_breaks_the_reading(header: str) -> None:
    for mailbox in mailboxes([header]):
        assert len(mailbox.address) <= 320
        (mailbox.name or "").encode()


@given(WORDS)
def test_encoded_words_are_read(written: str) -> None:
    encoded = Header(written, "utf-8", maxlinelen=10_000).encode()
    assert unicodedata.normalize("NFC", decoded(encoded)) == unicodedata.normalize("NFC", written)
