"""The row of a suppressed address: every reason, the strongest on top, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.outreach import SUPPRESSION_REASONS
from pipeline.outreach.suppression_rows import (
    STRONGEST_FIRST,
    Objection,
    added_to,
    normalized,
    reason_of,
    suppression_id,
    without,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = Objection("acme", "email", "Ada@A.example ", "manual", "admin", NOW)

objections = st.builds(
    replace,
    st.just(BASE),
    reason=st.sampled_from(STRONGEST_FIRST),
    at=st.integers(0, 9).map(lambda hours: NOW + timedelta(hours=hours)),
    message_id=st.sampled_from(("m1", "m2")),
    expires_at=st.none() | st.integers(1, 3).map(lambda days: NOW + timedelta(days=days)),
)


@given(st.lists(objections, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_in_which_reasons_come_does_not_matter(
    told: list[Objection], random: Any
) -> None:
    mixed = random.sample(told, len(told))
    row = added_to(None, told)
    assert reduce(lambda known, one: added_to(known, [one]), mixed, None) == row
    assert row["reason"] == min((one.reason for one in told), key=STRONGEST_FIRST.index)
    assert row["count"] == len(told)
    assert row["first_seen_at"] == min(one.at for one in told)
    ends = {one.expires_at for one in told}
    assert row["expires_at"] == (None if None in ends else max(end for end in ends if end))


def test_every_reason_has_a_rank() -> None:
    assert set(STRONGEST_FIRST) == set(SUPPRESSION_REASONS)


def test_a_reason_goes_without_the_others() -> None:
    row = added_to(None, [BASE, replace(BASE, reason="unsubscribed", source="link")])
    assert (row["reason"], row["source"]) == ("unsubscribed", "link")
    left = without(row, "unsubscribed")
    assert left is not None
    assert (left["reason"], left["source"], left["count"]) == ("manual", "admin", 1)
    assert without(left, "manual") is None


def test_a_reason_that_is_over_does_not_hold() -> None:
    soon = replace(BASE, expires_at=NOW + timedelta(days=1))
    row = added_to(None, [soon])
    assert reason_of(row, NOW) == "manual"
    assert reason_of(row, NOW + timedelta(days=1)) is None
    both = added_to(row, [replace(BASE, reason="bounced")])
    assert reason_of(both, NOW + timedelta(days=2)) == "bounced"


@pytest.mark.parametrize(
    ("channel", "address", "stored"),
    [
        ("email", " Ada@A.Example ", "ada@a.example"),
        ("sms", "+49 (0) 151 12345678", "+4915112345678"),
        ("sms", "+4915112345678", "+4915112345678"),
        ("sms", " HEADRACE ", "HEADRACE"),
    ],
)
def test_addresses_are_compared_in_one_form(channel: str, address: str, stored: str) -> None:
    assert normalized(channel, address) == stored
    assert suppression_id("a", channel, address) == suppression_id("a", channel, stored)
    assert stored not in suppression_id("a", channel, address)
