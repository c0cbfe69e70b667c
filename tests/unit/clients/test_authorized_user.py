"""The form in which Google grants are handed over."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.clients.authorized_user import email_of, scopes_of, secrets_of
from pipeline.errors import Misconfigured, Permanent

GRANT = {
    "type": "authorized_user",
    "client_id": "id.apps.googleusercontent.com",
    "client_secret": "GOCSPX-secret",
    "refresh_token": "1//refresh",
}


def test_the_secrets_of_a_grant_are_taken_over() -> None:
    assert secrets_of(GRANT) == {name: GRANT[name] for name in GRANT if name != "type"}


@pytest.mark.parametrize(
    ("expiry", "stored"),
    [
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00+00:00"),
        ("2026-11-01T10:00:00.123456Z", "2026-11-01T10:00:00.123456+00:00"),
        ("2026-11-01T10:00:00", "2026-11-01T10:00:00+00:00"),
        ("2026-11-01T12:00:00+02:00", "2026-11-01T10:00:00+00:00"),
    ],
)
def test_an_access_token_is_taken_with_its_end_in_utc(expiry: str, stored: str) -> None:
    secrets = secrets_of({**GRANT, "token": "ya29.token", "expiry": expiry})
    assert (secrets["token"], secrets["expiry"]) == ("ya29.token", stored)


def test_an_access_token_without_its_end_is_left_out() -> None:
    assert "token" not in secrets_of({**GRANT, "token": "ya29.token"})


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_a_field_that_is_missing_or_wrong_is_named(name: str, value: Any) -> None:
    with pytest.raises(Permanent, match=f"`{name}` is (missing|not text)"):
        secrets_of({**GRANT, name: value})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "service_account"}, "`type` is not authorized_user"),
        ({"token": "ya29.token", "expiry": "tomorrow"}, "`expiry` is not an ISO 8601 time"),
    ],
)
def test_another_form_is_refused(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(Permanent, match=complaint):
        secrets_of({**GRANT, **change})


@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "token"])
@pytest.mark.parametrize("value", ["REDACTED", "1//0…", "ya29...", "GOCS********"])
def test_a_secret_that_was_blotted_out_is_never_stored(name: str, value: str) -> None:
    grant = {**GRANT, "expiry": "2026-11-01T10:00:00Z", name: value}
    with pytest.raises(Misconfigured, match=f"`{name}` is blotted out"):
        secrets_of(grant)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["a", "b"], ["a", "b"]), ("a b", ["a", "b"]), (None, []), ([], []), ("", [])],
)
def test_scopes_come_as_a_list_or_as_text(scopes: Any, expected: list[str]) -> None:
    assert scopes_of({**GRANT, "scopes": scopes}) == expected


@pytest.mark.parametrize("scopes", [7, {"a": 1}, ["a", 7]])
def test_scopes_of_another_kind_are_refused(scopes: Any) -> None:
    with pytest.raises(Permanent, match="`scopes` is not a list of scopes"):
        scopes_of({**GRANT, "scopes": scopes})


@pytest.mark.parametrize(
    ("account", "email"), [("Ada@Example.org ", "ada@example.org"), ("", ""), (None, "")]
)
def test_the_address_of_the_account_is_taken_where_it_is_told(account: Any, email: str) -> None:
    assert email_of({**GRANT, "account": account}) == email
    with pytest.raises(Permanent, match="`account` is not text"):
        email_of({**GRANT, "account": ["ada"]})
