"""The graph: a query, and whether it keeps nodes unique."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.clients import graph
from pipeline.errors import HeadraceError
from pipeline.probes import graph_problem
from pipeline.projections.graph.model import SCHEMA

#: Neo4j and ArcadeDB know the first; Memgraph the second.
_QUESTIONS = ("SHOW CONSTRAINTS", "SHOW CONSTRAINT INFO")


def check() -> Iterator[Finding]:
    """Yield what there is to say about the graph."""
    if problem := graph_problem():
        mend = "start it, or correct GRAPH_URI, GRAPH_USER and GRAPH_PASSWORD"
        yield wrong("graph", f"{problem}; the graph falls behind, the copies do not", mend)
        return
    yield ok("graph", "answers a query")
    yield _constraints()


def _constraints() -> Finding:
    rows = _rows()
    if rows is None:
        return note("graph constraints", "this server does not list them")
    unique = {_label_of(row) for row in rows}
    missing = [index.label for index in SCHEMA.unique if index.label not in unique]
    if len(missing) == len(SCHEMA.unique):
        return note("graph constraints", "none yet: the first write creates them")
    if missing:
        mend = "restart the graph worker: its first write creates them"
        return wrong("graph constraints", f"missing for {', '.join(missing)}", mend)
    return ok("graph constraints", f"all {len(SCHEMA.unique)} there")


def _rows() -> list[dict[str, Any]] | None:
    for question in _QUESTIONS:
        try:
            return graph.read(question)
        except HeadraceError:
            continue  # another server's dialect
    return None


def _label_of(row: dict[str, Any]) -> str:
    labels = row.get("labelsOrTypes") or [row.get("label", "")]
    return str(labels[0])
