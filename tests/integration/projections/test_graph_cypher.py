"""Every Cypher text is good for Neo4j, plain enough for the others, and uses an index."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from neo4j import GraphDatabase

from pipeline.clients import graph as bolt
from pipeline.clients.graph import schema_statements
from pipeline.config import settings
from pipeline.projections import graph
from pipeline.projections.graph import cypher
from pipeline.projections.graph.model import LINKS, RECORD_LABELS, SCHEMA, SHARED_LABELS

LINTER = "@neo4j-cypher/language-support@2.0.0-next.38"
CACHE = Path(__file__).parents[3] / ".headrace" / "cache" / "cypher-linter"
TEXTS = [*cypher.ALL, *schema_statements(SCHEMA)]


@pytest.fixture(scope="session")
def linter() -> Path:
    """The folder with Neo4j's linter, installed once."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Neo4j's linter needs node and npm, which are not installed")
    if not (CACHE / "node_modules" / "@neo4j-cypher" / "language-support").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), LINTER]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return CACHE


def lint(folder: Path, texts: list[str]) -> list[list[str]]:
    script = shutil.copy(Path(__file__).with_name("lint.mjs"), folder)
    done = subprocess.run(
        [str(shutil.which("node")), str(script)],
        input=json.dumps(texts),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[list[str]] = json.loads(done.stdout)
    return told


def test_neo4js_own_linter_finds_mistakes_but_none_in_our_texts(linter: Path) -> None:
    wrong = ["MATCH (n) SET n.x = 1 MATCH (m) RETURN m", "RETURN n", "MATCH (n) RETURN id(n)"]
    texts = [*wrong, *TEXTS]

    told = dict(zip(texts, lint(linter, texts), strict=True))

    assert all(told.pop(text) for text in wrong)
    assert {text: said for text, said in told.items() if said} == {}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_plain_and_stay_within_one_user(text: str) -> None:
    assert not re.search(r"apoc\.|CALL|db\.|\bid\(|elementId|exists\(", text)
    for pattern in re.findall(r"(?:MATCH|MERGE) \((\w*:?\w*[^)]*)\)", text):
        assert "{user_id: $user_id" in pattern


def _plan(text: str, **parameters: Any) -> str:
    """Return the names of the operators that the server would use."""
    password = settings().graph_password.get_secret_value()
    with GraphDatabase.driver(
        settings().graph_uri, auth=(settings().graph_user, password)
    ) as driver:
        result = driver.execute_query(
            f"EXPLAIN {text}", parameters, database_=settings().graph_database or None
        )
    return json.dumps(result.summary.plan, default=str)


@pytest.mark.parametrize("label", [*RECORD_LABELS, *SHARED_LABELS, "User"])
def test_a_node_is_found_by_its_key_in_the_index(graph_server: None, label: str) -> None:
    graph.ensure_schema()
    plan = _plan(f"MATCH (n:{label} {{user_id: $u, key: $k}}) RETURN n", u="u", k="k")
    assert "IndexSeek" in plan
    assert "LabelScan" not in plan
    if "index=" in plan:  # ArcadeDB says which
        assert f"index={label}[user_id,key]" in plan


@pytest.mark.parametrize("label", [*RECORD_LABELS, *SHARED_LABELS])
def test_the_nodes_of_a_user_are_found_by_the_index(graph_server: None, label: str) -> None:
    graph.ensure_schema()
    plan = _plan(cypher.NODES[label], user_id="u")
    assert "IndexSeek" in plan
    assert "LabelScan" not in plan


@pytest.mark.parametrize("link", LINKS, ids=lambda link: str(link.type))
def test_the_sources_of_a_link_have_an_index(graph_server: None, link: Any) -> None:
    graph.ensure_schema()
    rows = {
        (tuple(row["labelsOrTypes"]), tuple(row["properties"]))
        for row in _indexes()
        if row["state"] == "ONLINE" and row["labelsOrTypes"]  # Neo4j has some for all labels
    }
    assert ((link.source,), (link.property, "user_id")) in rows


def _indexes() -> list[dict[str, Any]]:
    return bolt.read("SHOW INDEXES YIELD state, labelsOrTypes, properties")
