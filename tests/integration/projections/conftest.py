"""A user of whom the stores know nothing, the landing of their records, and the stores themselves.

Each test of the graph runs against the embedded ArcadeDB and against Neo4j, each test of search
against MongoDB's own and against OpenSearch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from graph_items import Landing
from java_servers import PASSWORD, port_of
from search_people import Person

from models import SearchIndex, SearchRebuild
from pipeline.clients import graph as bolt
from pipeline.config import settings
from pipeline.projections.search import rebuilding, store
from pipeline.projections.search.store import SearchStore
from pipeline.stores import collection

Setting = Callable[..., None]

#: Fetching the servers, once per machine, may take minutes.
_FIRST_TIME_SECONDS = 600
_FIXTURES = {"graph_server", "search_store"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(_FIRST_TIME_SECONDS))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", params=["arcadedb", "neo4j"])
def graph_server(
    request: pytest.FixtureRequest, servers: dict[str, str], run_folder: Path
) -> Iterator[None]:
    """The graph, with this process's connections to it closed at the end."""
    bolt.close()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "neo4j":
            patch.setenv("GRAPH_URI", f"bolt://127.0.0.1:{port_of('neo4j', run_folder)}")
            patch.setenv("GRAPH_USER", "neo4j")
            patch.setenv("GRAPH_PASSWORD", PASSWORD)
            patch.setenv("GRAPH_DATABASE", "")
        settings.cache_clear()
        yield
        bolt.close()
    settings.cache_clear()


@pytest.fixture
def user(graph_server: None) -> str:
    """A user of whom the graph knows nothing."""
    return f"user-{uuid4().hex}"


@pytest.fixture
def landing(user: str, stores: None) -> Landing:
    """The landed records of `user`."""
    return Landing(user)


@pytest.fixture(params=["mongodb", "opensearch"])
def search_store(
    request: pytest.FixtureRequest, stores: None, setting: Setting, run_folder: Path
) -> SearchStore:
    """A search store in which nothing has ever been written."""
    if request.param == "opensearch":
        url = f"http://127.0.0.1:{port_of('opensearch', run_folder)}"
        setting(SEARCH_URL=url, SEARCH_INDEX_PREFIX=f"t{uuid4().hex[:12]}")
    here = store()
    assert here.name == request.param
    if (index := here.current()) is not None:
        here.drop(index)
        collection(SearchIndex).delete_many({})
    return here


@pytest.fixture
def clean(search_store: SearchStore, setting: Setting) -> Iterator[SearchStore]:
    """A store without anything, after which nothing is left."""
    collection(SearchRebuild).delete_many({})
    setting(LEASE_SECONDS=1)
    yield search_store
    for index in search_store.indexes():
        search_store.drop(index)


@pytest.fixture
def ada(clean: SearchStore) -> Person:
    return Person("acme")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for writers that stood still, and small parts."""
    monkeypatch.setattr(rebuilding, "_grace", lambda: timedelta(0))
    monkeypatch.setattr(rebuilding, "BATCH", 3)
    monkeypatch.setattr(rebuilding, "_BATCHES_PER_RUN", 2)
