"""The one place that touches the driver: what goes through it, and what its errors become."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline import projections
from pipeline.clients import graph
from pipeline.clients.graph import Index, Run, Schema, schema_statements
from pipeline.errors import Misconfigured, Permanent, Transient
from pipeline.projections.graph.model import SCHEMA

Setting = Callable[..., None]


@pytest.fixture
def other_server(setting: Setting, graph_server: None) -> Iterator[Setting]:
    """Change settings of the graph for one test."""

    def change(**values: str) -> None:
        graph.close()
        setting(**values)

    yield change
    graph.close()


@pytest.fixture
def schema(graph_server: None) -> None:
    graph.ensure_schema(SCHEMA)


def test_a_datetime_in_a_zone_arrives_as_the_same_instant(graph_server: None) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moments = [datetime(2026, 1, 1, 9, tzinfo=berlin) + timedelta(days=d) for d in range(200)]

    (row,) = graph.read("UNWIND $moments AS m RETURN collect(m) AS found", moments=moments)

    assert row["found"] == [moment.astimezone(UTC) for moment in moments]
    assert all(moment.tzinfo is UTC for moment in row["found"])


def test_a_write_that_fails_leaves_nothing_behind(user: str, schema: None) -> None:
    def work(run: Run) -> None:
        run("CREATE (n:Thread {user_id: $u, key: 'a'})", u=user)
        run("UNWIND [2, 1, 0] AS x CREATE (n:Thread {user_id: $u, key: toString(1 / x)})", u=user)

    with pytest.raises(Permanent, match="refused"):
        graph.write(work)
    assert graph.read("MATCH (n:Thread {user_id: $u}) RETURN n.key", u=user) == []


def test_what_the_work_raises_passes_through_and_undoes_it(user: str, schema: None) -> None:
    def work(run: Run) -> None:
        run("CREATE (n:Thread {user_id: $u, key: 'a'})", u=user)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        graph.write(work)
    assert graph.read("MATCH (n:Thread {user_id: $u}) RETURN n.key", u=user) == []


def test_racing_merges_of_new_keys_make_one_node_each(user: str, schema: None) -> None:
    together = threading.Barrier(4)

    def work(run: Run) -> None:
        for number in range(20):
            run("MERGE (n:Thread {user_id: $u, key: $k})", u=user, k=f"t{number}")

    def writer() -> None:
        together.wait()
        graph.write(work)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(writer) for _ in range(4)]:
            done.result()
    assert graph.read("MATCH (n:Thread {user_id: $u}) RETURN count(n) AS n", u=user) == [{"n": 20}]


def test_a_key_is_unique_per_label_and_user(user: str, schema: None) -> None:
    create = "CREATE (n:Thread {user_id: $u, key: 'a'})"
    graph.write(lambda run: run(create, u=user))
    graph.write(lambda run: run(create, u=user + "2"))
    with pytest.raises(Permanent, match="ConstraintValidationFailed") as failure:
        graph.write(lambda run: run(create, u=user))
    assert user not in str(failure.value)
    assert failure.value.__cause__ is None


def test_the_schema_can_be_made_by_many_at_once(graph_server: None) -> None:
    schema = Schema((Index("Twig", ("user_id", "key")),), (Index("Twig", ("x", "user_id")),))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(graph.ensure_schema, schema) for _ in range(6)]:
            done.result()
    graph.write(lambda run: run("CREATE (n:Twig {user_id: 'u', key: 'k'})"))
    with pytest.raises(Permanent):
        graph.write(lambda run: run("CREATE (n:Twig {user_id: 'u', key: 'k'})"))
    graph.write(lambda run: run("MATCH (n:Twig) DETACH DELETE n"))


def test_a_stream_gives_all_rows(user: str, graph_server: None) -> None:
    rows = graph.stream("UNWIND range(1, 5000) AS n RETURN n")
    assert sum(row["n"] for row in rows) == 12_502_500


def test_a_stream_may_be_left_early(graph_server: None) -> None:
    rows = graph.stream("UNWIND range(1, 5000) AS n RETURN n")
    assert next(rows) == {"n": 1}
    rows.close()  # type: ignore[attr-defined]
    assert graph.read("RETURN 1 AS n") == [{"n": 1}]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"GRAPH_PASSWORD": "wrong-password"}, Misconfigured),
        ({"GRAPH_PASSWORD": ""}, Misconfigured),
        ({"GRAPH_DATABASE": "nowhere"}, Misconfigured),
        ({"GRAPH_URI": "boltx://127.0.0.1:1"}, Misconfigured),
        ({"GRAPH_URI": "bolt://127.0.0.1:nil"}, Misconfigured),
        ({"GRAPH_URI": "bolt://no-such-host.invalid"}, Transient),
        ({"GRAPH_URI": "bolt://127.0.0.1:1"}, Transient),
    ],
)
def test_errors_say_who_must_act(
    other_server: Setting, changed: dict[str, str], kind: type[Exception]
) -> None:
    other_server(**changed)
    with pytest.raises(kind) as failure:
        next(graph.stream("RETURN 1 AS n"))
    assert "wrong-password" not in str(failure.value)


@pytest.mark.parametrize("query", ["RETRUN 1", "RETURN 1 / 0", "CALL no.such()", "RETURN $nobody"])
def test_a_statement_that_cannot_work_is_permanent(graph_server: None, query: str) -> None:
    with pytest.raises(Permanent):
        graph.write(lambda run: run(query))


def test_a_value_that_cannot_be_sent_is_permanent_and_the_connection_still_works(
    graph_server: None,
) -> None:
    for value in ("\ud800", datetime(2026, 1, 1), 2**80):
        with pytest.raises(Permanent):
            graph.write(lambda run, value=value: run("RETURN $v AS v", v=value))  # type: ignore[misc]
    assert graph.read("RETURN 1 AS n") == [{"n": 1}]


FORK = """
import os
from pipeline.clients import graph

def ask(first):
    for number in range(first, first + 200):
        assert graph.read("RETURN $n AS n", n=number) == [{"n": number}]

ask(0)
child = os.fork()
ask(1000 if child else 2000)
if not child:
    graph.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_gets_connections_of_its_own(graph_server: None) -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


def test_memgraph_gets_its_own_schema_statements() -> None:
    schema = Schema((Index("Twig", ("user_id", "key")),), (Index("Twig", ("x", "user_id")),))
    assert list(schema_statements(schema, memgraph=True)) == [
        "CREATE CONSTRAINT ON (n:Twig) ASSERT n.user_id, n.key IS UNIQUE",
        "CREATE INDEX ON :Twig(user_id, key)",
        "CREATE INDEX ON :Twig(x, user_id)",
    ]


def test_no_projection_touches_the_driver() -> None:
    folder = Path(projections.__file__).parent
    assert [path for path in folder.rglob("*.py") if "neo4j import" in path.read_text()] == []
    assert [path for path in folder.rglob("*.py") if "import neo4j" in path.read_text()] == []
