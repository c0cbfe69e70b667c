"""What the report of a sync says, and what its job does next."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.errors import RateLimited, ReauthRequired, Unfinished
from pipeline.sync.landing import Counts
from pipeline.sync.report import LONGEST_DELAY_SECONDS, SyncReport


def report(outcome: str, **error: Any) -> SyncReport:
    counts = Counts(created=12, updated=3, unchanged=90)
    return SyncReport(
        "ada",
        "google_gmail",
        outcome=outcome,
        counts=counts,
        calls=4,
        error={"message": "why", **error} if error else None,
    )


def limited(seconds: float, scope: str) -> SyncReport:
    return report("rate_limited", retry_after_seconds=seconds, scope=scope)


@pytest.mark.parametrize("outcome", ["succeeded", "lease_lost", "not_due"])
def test_nothing_is_raised_when_nothing_is_left_to_this_job(outcome: str) -> None:
    report(outcome).raise_what_is_left()


def test_a_spent_budget_goes_on_behind_the_others() -> None:
    with pytest.raises(Unfinished) as raised:
        report("continued").raise_what_is_left()
    assert raised.value.delay_seconds == 0


@pytest.mark.parametrize(
    ("seconds", "scope"),
    [
        (0.0, "user"),
        (LONGEST_DELAY_SECONDS, "user"),
        (30.0, "project"),
        # The pause of the source keeps others from being delayed for so long.
        (20_000.0, "day"),
    ],
)
def test_a_wait_that_a_delay_may_bridge_or_that_all_share_is_raised(
    seconds: float, scope: str
) -> None:
    with pytest.raises(RateLimited, match="why") as raised:
        limited(seconds, scope).raise_what_is_left()
    assert (raised.value.retry_after_seconds, raised.value.scope) == (seconds, scope)


def test_a_long_wait_of_one_user_is_left_to_the_due_time() -> None:
    limited(LONGEST_DELAY_SECONDS + 1, "user").raise_what_is_left()


def test_a_refused_grant_is_raised() -> None:
    with pytest.raises(ReauthRequired, match="why"):
        report("needs_reauth", scope="").raise_what_is_left()


@pytest.mark.parametrize(
    ("outcome", "summary"),
    [
        ("succeeded", "12 created, 3 updated, 90 unchanged, 4 calls"),
        ("continued", "12 created, 3 updated, 90 unchanged, 4 calls; the rest follows"),
        ("lease_lost", "12 created, 3 updated, 90 unchanged, 4 calls; another run took over"),
        ("not_due", "not due, busy or held"),
    ],
)
def test_the_summary_says_what_was_done(outcome: str, summary: str) -> None:
    assert report(outcome).summary == summary


def test_the_summary_of_a_wait_says_when_it_ends() -> None:
    text = limited(3600, "day").summary
    assert re.search(r"4 calls; day quota: due again at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", text)


def test_one_call_is_a_call() -> None:
    assert SyncReport("ada", "google_gmail", outcome="succeeded", calls=1).summary == "1 call"
