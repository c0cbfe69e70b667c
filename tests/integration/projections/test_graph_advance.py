"""Advancing brings the graph to what has landed, whoever else is at it and whatever breaks."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graph_items import CALENDAR, EVENTS, MAILS, Landing, events, holding, mails

from models import SyncState
from pipeline.clients import graph as bolt
from pipeline.errors import Transient
from pipeline.projections import graph
from pipeline.projections.graph.advance import watermark
from pipeline.projections.graph_snapshot import actual
from pipeline.sandbox.generate import Size, build_user
from pipeline.stores import collection


def lagging_users() -> list[str]:
    return [user for user, _ in graph.lagging(datetime.now(UTC), 10)]


def test_all_that_has_landed_comes_in_and_nothing_is_due_any_more(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, "calendars", {"c1": {"id": "c1"}})
    landing.land(CALENDAR, EVENTS, events(700))
    landing.land(MAILS, "messages", mails(10))
    assert graph.lag(user) == {CALENDAR: 701, MAILS: 10}
    assert lagging_users() == [user]

    assert graph.advance(user) == graph.Advanced(records=711, batches=3)

    assert landing.differences() == []
    assert graph.lag(user) == {CALENDAR: 0, MAILS: 0}
    assert lagging_users() == []
    assert landing.watermark(CALENDAR) == {"seq": 701, "failures": 0}


def test_a_second_advance_does_nothing(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(3))
    graph.advance(user)
    assert graph.advance(user) == graph.Advanced(0, 0)


def test_a_user_nobody_knows_is_at_rest(user: str, stores: None) -> None:
    assert graph.advance(user) == graph.Advanced(0, 0)
    assert graph.lag(user) == {}


def test_changes_and_deletions_come_in(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(20))
    graph.advance(user)
    changed = {f"e{n}": {"id": f"e{n}", "summary": "Moved"} for n in range(5)}
    landing.land(CALENDAR, EVENTS, {**changed, "e5": None, "e6": None})

    assert graph.advance(user).records == 7

    assert landing.differences() == []
    assert len(actual(user).nodes) == 18 + 3


def test_numbers_that_newer_versions_have_replaced_leave_no_lag(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(2))
    landing.land(CALENDAR, EVENTS, events(2))  # the same rows under higher numbers
    collection(SyncState).update_one({"user_id": user}, {"$inc": {"seq": 3}})

    assert graph.advance(user).records == 2

    assert graph.lag(user) == {CALENDAR: 0}
    assert "due_at" not in landing.watermark(CALENDAR)


def test_a_source_that_the_graph_does_not_show_is_passed_over(user: str, landing: Landing) -> None:
    landing.land("unheard_of", "messages", mails(3))
    graph.advance(user)
    assert graph.lag(user) == {"unheard_of": 0}
    assert actual(user).nodes == {}


def test_what_is_due_though_nothing_is_missing_is_taken_back(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, {})
    assert lagging_users() == [user]
    graph.advance(user)
    assert lagging_users() == []


def test_a_landing_between_the_last_batch_and_the_watermark_stays_due(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(2))
    (before,) = watermark.lags(user)
    landing.land(CALENDAR, EVENTS, events(1, first=2))

    with holding(user) as mine:
        watermark.move(before, before.published, mine.fence)

    assert landing.watermark(CALENDAR)["seq"] == 2
    assert lagging_users() == [user]
    assert graph.advance(user).records == 1


def test_the_watermark_never_moves_back(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(4))
    (lag,) = watermark.lags(user)
    graph.advance(user)
    with holding(user) as mine:
        watermark.move(lag, 2, mine.fence)
    assert landing.watermark(CALENDAR)["seq"] == 4


def test_a_failure_is_noted_with_growing_pauses_and_forgotten_after_success(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(3))
    landing.land(MAILS, "messages", mails(3))
    for failures, pause in ((1, 2), (2, 4), (3, 8)):
        before = datetime.now(UTC)
        watermark.failed(user, Transient("The graph does not answer ($x)"))
        for source in (CALENDAR, MAILS):
            noted = landing.watermark(source)
            assert noted["failures"] == failures
            assert noted["error"] == {
                "class": "Transient", "message": "The graph does not answer ($x)"
            }  # fmt: skip
            assert pause - 1 < (noted["due_at"] - before).total_seconds() < pause + 5
    assert lagging_users() == []

    graph.advance(user)
    assert landing.watermark(CALENDAR) == {"seq": 3, "failures": 0}


def test_pauses_stay_below_a_minute(user: str, landing: Landing) -> None:
    landing.land(CALENDAR, EVENTS, events(1))
    collection(SyncState).update_one(
        {"user_id": user}, {"$set": {"projections.graph.failures": 5000}}
    )
    watermark.failed(user, ValueError("ada@x.de"))
    noted = landing.watermark(CALENDAR)
    assert noted["due_at"] - datetime.now(UTC) < timedelta(seconds=61)
    assert noted["error"] == {"class": "ValueError", "message": ""}


def test_lagging_gives_each_user_once_and_the_longest_due_first(landing: Landing) -> None:
    now = datetime.now(UTC)
    for number in range(5):
        for source in (CALENDAR, MAILS):
            collection(SyncState).insert_one(
                {
                    "user_id": f"u{number}",
                    "source": source,
                    "seq": 1,
                    "projections": {"graph": {"due_at": now - timedelta(seconds=number)}},
                }
            )
    assert [user for user, _ in graph.lagging(now, 3)] == ["u4", "u3", "u2"]
    assert [user for user, _ in graph.lagging(now - timedelta(seconds=3), 10)] == ["u4", "u3"]


def test_a_rebuild_starts_from_nothing_and_ends_with_everything(
    user: str, landing: Landing
) -> None:
    landing.land(CALENDAR, EVENTS, events(30))
    graph.advance(user)
    bolt.write(lambda run: run("CREATE (n:Event {user_id: $u, key: 'astray'})", u=user))
    assert landing.differences() == ["extra Event astray"]

    graph.rebuild(user)

    assert actual(user).nodes == {}
    assert lagging_users() == [user]
    graph.advance(user)
    assert landing.differences() == []


@pytest.mark.parametrize("keep_fence", [True, False])
def test_a_wipe_leaves_nothing_but_the_fence(user: str, landing: Landing, keep_fence: bool) -> None:
    landing.land(CALENDAR, "calendars", {"c1": {"id": "c1"}})
    landing.land(CALENDAR, EVENTS, events(2001))
    landing.land(MAILS, "messages", mails(5))
    graph.advance(user)

    graph.wipe(user, keep_fence=keep_fence)

    left = bolt.read("MATCH (n {user_id: $u}) RETURN labels(n) AS labels", u=user)
    assert left == ([{"labels": ["User"]}] if keep_fence else [])


@pytest.mark.long
def test_a_whole_invented_user_comes_in_item_by_item(user: str, landing: Landing) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    size = Size(calendars=3, events=250, messages=150, contacts=120, task_lists=2, tasks=80)
    streams: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for seeded in build_user(11, user, "ada@example.org", size, now):
        streams[seeded.source, seeded.stream][seeded.item_id] = seeded.item
    for (source, stream), items in streams.items():
        landing.land(source, stream, items)

    graph.advance(user)

    assert landing.differences() == []
    assert len(actual(user).edges) > 1000
