"""Users a page at a time: each once, in order, whatever is asked for and however many there are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import SyncState, User
from pipeline.jobs import controls
from pipeline.stores import collection
from pipeline.users.listing import TROUBLES, Filter, users

NOW = datetime.now(UTC).replace(microsecond=0)
MAILS, PEOPLE, TASKS = "google_gmail", "google_contacts", "google_tasks"
#: Ids that mean something to queries, or sort in an odd way.
ODD = ["", "Ada", "a.b", "a$b", "a*", "a-b", "é", "zz\u2028", "\U0001f600", "50%", "a/b", "1-ada"]


def _state(user_id: str, source: str, number: int) -> dict[str, Any]:
    status = ("idle", "error", "needs_reauth", "rate_limited", "paused")[number % 5]
    stale_at = [None, NOW - timedelta(seconds=number % 7), NOW + timedelta(hours=1)][number % 3]
    return {
        "user_id": user_id,
        "source": source,
        "status": status,
        "tenant_id": "acme" if number % 4 == 0 else "default",
        "stale_at": stale_at,
        "records": 1,
        "rejected": 0,
    }


@pytest.fixture
def fleet(stores: None) -> list[dict[str, Any]]:
    """Some users with one to three sources each; returns all states."""
    ids = [name for name in ODD if name] + [f"user{number:03}" for number in range(30)]
    random.seed(7)
    rows: list[dict[str, Any]] = []
    for user_id in ids:
        number = random.randrange(60)
        tenant = "acme" if number % 4 == 0 else "default"
        collection(User).insert_one({"_id": user_id, "tenant_id": tenant, "created_at": NOW})
        for offset, source in enumerate([MAILS, PEOPLE, TASKS][: 1 + number % 3]):
            rows.append(_state(user_id, source, number + 4 * offset))
    collection(SyncState).insert_many(rows)
    return rows


def pages(wanted: Filter, limit: int) -> list[str]:
    """Return the users of all pages, in order."""
    found: list[str] = []
    after = ""
    while True:
        page = users(limit, after=after, wanted=wanted)
        assert len(page.users) <= limit
        found += [user.user_id for user in page.users]
        if not page.next:
            return found
        after = page.next


def fits(row: dict[str, Any], wanted: Filter) -> bool:
    """Return whether a state fits, the slow way."""
    if wanted.source and row["source"] != wanted.source:
        return False
    if wanted.tenant_id and row["tenant_id"] != wanted.tenant_id:
        return False
    if not row["user_id"].startswith(wanted.search):
        return False
    if wanted.trouble == "stale":
        return row["stale_at"] is None or bool(row["stale_at"] <= NOW)
    return wanted.trouble is None or bool(row["status"] == wanted.trouble)


@pytest.mark.parametrize("limit", [4, 500])
def test_all_pages_together_have_every_user_that_fits_once(
    fleet: list[dict[str, Any]], limit: int
) -> None:
    for trouble in (None, *TROUBLES):
        for wanted in (
            Filter(trouble=trouble),
            Filter(trouble=trouble, source=PEOPLE),
            Filter(trouble=trouble, tenant_id="acme", search="user"),
            Filter(trouble=trouble, search="a"),
        ):
            found = pages(wanted, limit)
            expected = {row["user_id"] for row in fleet if fits(row, wanted)}
            assert sorted(found) == sorted(expected), wanted
            if trouble != "stale":
                assert found == sorted(found)


def test_who_has_been_stale_for_longest_comes_first(fleet: list[dict[str, Any]]) -> None:
    found = pages(Filter(trouble="stale", source=MAILS), 10)
    moments = {row["user_id"]: row["stale_at"] for row in fleet if row["source"] == MAILS}
    order = [moments[user_id] or datetime.fromtimestamp(0, UTC) for user_id in found]
    assert order == sorted(order)


def test_without_a_filter_those_who_have_connected_nothing_are_there_too(
    fleet: list[dict[str, Any]],
) -> None:
    collection(User).insert_one({"_id": "alone", "tenant_id": "default", "created_at": NOW})
    assert "alone" in pages(Filter(), 50)
    [row] = users(1, wanted=Filter(search="alone")).users
    assert (row.sources, row.worst, row.problem, row.connections) == ({}, None, None, {})


def test_a_paused_user_is_among_the_paused_whatever_its_sources(
    fleet: list[dict[str, Any]],
) -> None:
    controls.pause("user:a.b", reason="", by="eve")
    controls.pause("user:a$b", reason="", by="eve")
    found = pages(Filter(trouble="paused", search="a"), 1)
    assert {"a.b", "a$b"} <= set(found)
    assert found == sorted(found)


def test_what_is_no_place_is_refused(stores: None) -> None:
    for place in ("x", "-", "12", "12-", "1e3-a", "99999999999999999-a", "²-a"):
        with pytest.raises(ValueError, match="is not a place"):
            users(1, after=place, wanted=Filter(trouble="stale"))
