"""Errors in plain words: every class has some, and what is known of a reason is said."""

from __future__ import annotations

import pytest

from pipeline import errors
from pipeline.users.backfill import backfill_of
from pipeline.users.explain import NEXT, explained

CLASSES = [
    name for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.HeadraceError)
]  # fmt: skip


@pytest.mark.parametrize("name", [*CLASSES, "KeyError", ""])
def test_every_error_is_explained_and_says_what_to_do(name: str) -> None:
    found = explained({"class": name, "message": "whatever"})
    assert found is not None
    assert found.text.endswith(".")
    assert found.to_do.endswith(".")
    assert found.original == "whatever"


@pytest.mark.parametrize(
    ("message", "text", "to_do"),
    [
        ("the token endpoint refused the refresh (invalid_grant)", "revoked", "connect again"),
        ("x was answered 403 (domainPolicy)", "organization", "administrator"),
        ("google_tasks needs the scope https://x", "not granted", "tick this source"),
        ("its scope was not granted", "not granted", "tick this source"),
        ("x was answered 403 (ACCESS_TOKEN_SCOPE_INSUFFICIENT)", "not granted", "connect again"),
        ("x was answered 400: this Google account has no mailbox", "no mailbox", "Nothing"),
        ("there is no google connection", "No account", "connect link"),
        ("disconnected", "disconnected", "connect link"),
    ],
)
def test_a_known_reason_is_told_in_plain_words(message: str, text: str, to_do: str) -> None:
    found = explained({"class": "ReauthRequired", "message": message})
    assert found is not None
    assert text in found.text
    assert to_do in found.to_do
    assert found.waits_for_user


def test_a_quota_that_all_share_is_told_apart() -> None:
    mine, shared = (
        explained({"class": "RateLimited", "message": "", "scope": scope})
        for scope in ("user", "day")
    )
    assert mine is not None
    assert shared is not None
    assert mine.text != shared.text


def test_no_error_needs_no_explanation() -> None:
    assert explained(None) is None
    assert explained({}) is None
    assert set(NEXT) <= set(CLASSES)


def test_a_listing_whose_size_is_not_known_has_no_share() -> None:
    from datetime import UTC, datetime, timedelta

    at = datetime(2026, 5, 1, tzinfo=UTC)
    listing = {"done": 40, "total": None, "started_at": at, "touched_at": at}
    unknown = backfill_of("ada", "google_gmail", [listing])
    assert unknown is not None
    assert (unknown.share, unknown.seconds_left, unknown.done) == (None, None, 40)
    known = listing | {"total": 160, "touched_at": at + timedelta(seconds=20)}
    half_done = backfill_of("ada", "google_gmail", [known])
    assert half_done is not None
    assert (half_done.share, half_done.seconds_left) == (0.25, 60)
    assert backfill_of("ada", "google_gmail", []) is None
