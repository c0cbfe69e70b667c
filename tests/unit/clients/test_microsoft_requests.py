"""How calls of Microsoft Graph become requests, and which calls are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.microsoft_account import iana_name
from pipeline.clients.microsoft_requests import GraphRequest, root_url
from pipeline.clients.microsoft_scopes import missing_scope, scopes_of_source
from pipeline.errors import CursorExpired, HeadraceError, Permanent
from pipeline.limits.profiles import GOOGLE_GMAIL, MICROSOFT_MAIL, profile_of


def request(method: str, **params: Any) -> GraphRequest:
    return GraphRequest.of(method, params)


def test_parameters_go_to_path_query_body_and_headers() -> None:
    made = request(
        "PATCH /me/messages/{id}",
        id="AAMk=/+",
        select="id,isRead",
        includeHiddenFolders="true",
        body={"isRead": True},
        if_match='W/"x"',
    )
    assert made.path == ("/me/messages/AAMk%3D%2F%2B?$select=id,isRead&includeHiddenFolders=true")
    assert made.body == {"isRead": True}
    assert made.headers["If-Match"] == 'W/"x"'
    assert made.part(3) == {
        "id": "3",
        "method": "PATCH",
        "url": made.path,
        "headers": {**made.headers, "Content-Type": "application/json"},
        "body": {"isRead": True},
    }


@given(st.text(min_size=1), st.text())
def test_any_id_and_any_filter_arrive_as_they_are(item_id: str, wanted: str) -> None:
    try:
        path = request("GET /me/messages/{id}", id=item_id, filter=wanted or None).path
    except UnicodeEncodeError:
        return  # half a surrogate pair, which no id has
    parts = urlsplit(path)
    assert unquote(parts.path.removeprefix("/me/messages/")) == item_id
    assert parts.path.count("/") == 3
    assert parse_qs(parts.query, keep_blank_values=True).get("$filter", [""]) == [wanted]


def test_every_request_asks_for_ids_that_survive_a_move() -> None:
    for made in (
        request("GET /me"),
        request("GET /me/mailFolders/delta"),
        request("POST /subscriptions", body={}),
        request("GET", url=f"{root_url()}/me/mailFolders/delta?$deltatoken=x"),
    ):
        assert 'IdType="ImmutableId"' in made.headers["Prefer"]
        assert 'outlook.body-content-type="text"' in made.headers["Prefer"]
        paged = "delta" in made.path
        assert ("odata.maxpagesize=100" in made.headers["Prefer"]) == paged


def test_a_link_is_followed_unchanged_and_nowhere_else(setting: Callable[..., None]) -> None:
    setting(MICROSOFT_GRAPH_BASE_URL="https://graph.example")
    path = "/me/mailFolders('AA')/messages/delta?$deltatoken=a%2Bb%20c&$top=1"
    made = request("GET", url=root_url() + path)
    assert (made.path, made.method, made.follows_link) == (path, "GET link", True)
    for elsewhere in (
        "https://evil.example/v1.0/me",
        f"{root_url()}.evil.example/me",
        root_url().replace("https", "http") + "/me",
        root_url().replace("://", "://x@") + "/me",
        "",
    ):
        with pytest.raises(CursorExpired):
            request("GET", url=elsewhere)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("GET /me/messages/AAMkAG=", {}),
        ("GET me", {}),
        ("get /me", {}),
        ("TRACE /me", {}),
        ("GET /me?x=ada", {}),
        ("GET https://evil.example", {}),
        ("GET /me/messages/{id}", {}),
    ],
)
def test_what_may_not_be_said_in_a_metric_is_no_method(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        request(method, **params)


def test_only_what_is_the_same_twice_may_be_repeated() -> None:
    repeatable = [request(f"{verb} /me").may_repeat for verb in ("GET", "PATCH", "POST", "DELETE")]
    assert repeatable == [True, True, False, False]


def test_methods_of_both_providers_have_their_profile() -> None:
    for method in ("GET link", "GET", "POST /me/messages/{id}/move"):
        assert profile_of(method) is MICROSOFT_MAIL
    assert profile_of("gmail.users.messages.get") is GOOGLE_GMAIL
    with pytest.raises(ValueError, match="no quota profile"):
        profile_of("Graph /me")


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (scopes_of_source("microsoft_mail"), None),
        (["Mail.Read", "openid"], None),
        (["https://graph.microsoft.com/Mail.ReadWrite"], None),
        (["Mail.ReadBasic", "Mail.Send"], "Mail.ReadWrite"),
        ([], "Mail.ReadWrite"),
    ],
)
def test_mail_needs_a_scope_that_reads_it(granted: list[str], missing: str | None) -> None:
    assert missing_scope(granted, "microsoft_mail") == missing


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Europe/Paris", "Europe/Paris"),
        ("tzone://Microsoft/Custom", ""),
        ("../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_zones_as_windows_names_them(zone: str, name: str) -> None:
    assert iana_name(zone) == name


def test_a_missing_part_of_a_path_is_named_without_its_neighbours() -> None:
    with pytest.raises(HeadraceError) as caught:
        request("POST /me/messages/{id}/attachments/{part}", id="secret-id")
    assert "part" in str(caught.value)
    assert "secret" not in str(caught.value)
