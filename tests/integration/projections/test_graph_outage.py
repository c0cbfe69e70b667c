"""While the graph is away or refuses something, nothing is lost and it catches up afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from graph_items import Landing

from pipeline import embedded
from pipeline.clients import graph as bolt
from pipeline.config import settings
from pipeline.embedded import Running
from pipeline.errors import Permanent, Transient
from pipeline.projections import graph
from pipeline.projections.graph_snapshot import actual

EVENTS = ("google_calendar", "events/c1")
MAILS = ("google_gmail", "messages")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A graph for these tests alone, which they may kill."""
    folder: Path = tmp_path_factory.mktemp("own-graph")
    with embedded.start(folder, ["graph"]) as running:
        yield running


@pytest.fixture(scope="module")
def graph_server() -> None:
    """The own server is the graph."""


@pytest.fixture
def server(
    own_server: Running, setting: Callable[..., None], stores: None, graph_server: None
) -> Iterator[Running]:
    """The own server, as this process's graph."""
    bolt.close()
    setting(**own_server.settings)
    yield own_server
    bolt.close()
    settings.cache_clear()


@pytest.mark.long
def test_an_outage_is_transient_noted_and_made_up_for(
    server: Running, landing: Landing, user: str
) -> None:
    landing.land(*EVENTS, {"e1": {"summary": "before"}})
    graph.advance(user)
    os.kill(server.pid("graph"), signal.SIGKILL)
    landing.land(*EVENTS, {"e1": {"summary": "after"}, "e2": {"summary": "new"}})
    landing.land(*MAILS, {"m1": {"threadId": "t1"}})

    with pytest.raises(Transient):
        graph.advance(user)

    for source, _ in (EVENTS, MAILS):
        noted = landing.watermark(source)
        assert noted["failures"] == 1
        assert noted["error"]["class"] == "Transient"
        assert noted["due_at"] > datetime.now(UTC)
    assert graph.lagging(datetime.now(UTC), 10) == []

    server.revive()
    assert graph.advance(user).records == 3
    assert landing.differences() == []
    assert graph.lag(user) == {"google_calendar": 0, "google_gmail": 0}


def test_what_the_graph_refuses_of_one_source_does_not_keep_back_the_others(
    server: Running, landing: Landing, user: str
) -> None:
    graph.ensure_schema()
    bolt.write(lambda run: run("MATCH (n) DETACH DELETE n"))
    bolt.write(
        lambda run: run("CREATE CONSTRAINT refuses FOR (n:Event) REQUIRE (n.summary) IS UNIQUE")
    )
    landing.land(*EVENTS, {"e1": {"summary": "same"}, "e2": {"summary": "same"}})
    landing.land(*MAILS, {"m1": {"threadId": "t1"}})

    with pytest.raises(Permanent):
        graph.advance(user)

    assert {node.label for node in actual(user).nodes} == {"Mail", "Thread"}
    assert graph.lag(user) == {"google_calendar": 2, "google_gmail": 0}
    assert landing.watermark("google_calendar")["failures"] == 1
    assert landing.watermark("google_gmail")["failures"] == 0

    bolt.write(lambda run: run("DROP CONSTRAINT refuses"))
    graph.advance(user)
    assert landing.differences() == []
