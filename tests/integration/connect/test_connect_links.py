"""Signed links: what they say holds, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.clients.keyring import new_key
from pipeline.errors import Permanent
from pipeline.web.connect.links import (
    LinkExpired,
    LinkInvalid,
    connect_link,
    may_return_to,
    read_link,
)

Setting = Callable[..., None]


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    """A key that outlives the examples of a property."""
    with pytest.MonkeyPatch.context() as patch:
        from pipeline.config import settings

        patch.setenv("ENCRYPTION_KEYS", new_key())
        patch.setenv("CONNECT_RETURN_ORIGINS", "https://app.example, http://localhost:3000")
        settings.cache_clear()
        yield
    settings.cache_clear()


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["t"][0]


def test_a_link_says_what_it_was_made_for(setting: Setting) -> None:
    setting(PUBLIC_BASE_URL="https://headrace.example/")
    url = connect_link(
        "ada/é",
        sources=["google_tasks", "google_calendar"],
        return_to="https://app.example/done?x=1",
        tenant_id="acme",
    )
    assert url.startswith("https://headrace.example/connect/google?t=")
    link = read_link(token_of(url))
    assert (link.user_id, link.provider, link.tenant_id) == ("ada/é", "google", "acme")
    assert link.sources == ("google_calendar", "google_tasks")
    assert link.return_to == "https://app.example/done?x=1"
    assert not link.other_account


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"user_id": " "}, "a user id is"),
        ({"provider": "outlook"}, "there is no provider 'outlook'"),
        ({"sources": []}, "one source at least"),
        ({"sources": ["google_mail"]}, "did you mean google_gmail"),
        ({"lifetime_seconds": 0}, "more than no time"),
        ({"lifetime_seconds": 31 * 86_400}, "30 days at most"),
        ({"return_to": "https://evil.example/"}, "CONNECT_RETURN_ORIGINS"),
    ],
)
def test_a_link_that_cannot_work_is_not_made(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Permanent, match=complaint):
        connect_link(**{"user_id": "ada", **arguments})


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.example", True),
        ("https://app.example/a?b=c#d", True),
        ("http://localhost:3000/x", True),
        ("http://app.example/", False),
        ("https://app.example:444/", False),
        ("https://app.example.evil.example/", False),
        ("https://app.example@evil.example/", False),
        ("https://evil.example\\@app.example/", False),
        ("https://app.exa\tmple/", False),
        ("https://app.example/\r\nSet-Cookie: a=b", False),
        ("//app.example/", False),
        ("javascript:alert(1)//https://app.example", False),
        ("https://[app.example/", False),
        ("", False),
    ],
)
def test_users_are_sent_back_to_named_origins_only(url: str, allowed: bool) -> None:
    assert may_return_to(url) is allowed


def test_an_origin_that_is_not_allowed_any_more_is_left_out(setting: Setting) -> None:
    token = token_of(connect_link("ada", return_to="https://app.example/"))
    setting(CONNECT_RETURN_ORIGINS="https://other.example")
    assert read_link(token).return_to == ""


def test_a_link_ends(setting: Setting) -> None:
    token = token_of(connect_link("ada", lifetime_seconds=1e-9))
    with pytest.raises(LinkExpired):
        read_link(token)


def test_a_link_outlives_the_rotation_of_keys_and_not_the_loss_of_its_own(
    setting: Setting,
) -> None:
    old, new = new_key(), new_key().replace(":", "x:", 1)
    setting(ENCRYPTION_KEYS=old)
    token = token_of(connect_link("ada"))
    setting(ENCRYPTION_KEYS=f"{new},{old}")
    assert read_link(token).user_id == "ada"
    setting(ENCRYPTION_KEYS=new)
    with pytest.raises(LinkInvalid):
        read_link(token)


@given(st.text(max_size=300))
def test_no_text_is_a_link(text: str) -> None:
    with pytest.raises(LinkInvalid):
        read_link(text)


@given(st.floats(0, 1, exclude_max=True), st.characters(codec="ascii"))
def test_a_link_that_was_changed_anywhere_is_none(where: float, letter: str) -> None:
    token = token_of(connect_link("ada", tenant_id="acme"))
    at = int(where * len(token))
    assume(token[at] != letter)
    changed = token[:at] + letter + token[at + 1 :]
    try:
        link = read_link(changed)
    except LinkInvalid:
        return
    # The last letter of base64 holds bits that mean nothing.
    assert at == len(token) - 1
    assert link == read_link(token)


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable() and text.strip()))
def test_any_user_id_survives_the_way(user_id: str) -> None:
    assert read_link(token_of(connect_link(user_id))).user_id == user_id
