"""The graph database over Bolt: the only place that touches the driver.

Plain openCypher for Neo4j 5, Aura, Memgraph and ArcadeDB.  Writes happen only in
managed transactions: what a failed auto-commit statement wrote before it failed
stays behind in ArcadeDB.
"""

from __future__ import annotations

import atexit
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from neo4j import Driver, GraphDatabase, Session, Transaction, unit_of_work
from neo4j.exceptions import (
    ConfigurationError,
    ConnectionAcquisitionTimeoutError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
)

from pipeline.clients.graph_values import from_bolt, to_bolt
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Permanent, Transient

T = TypeVar("T")
Row = dict[str, Any]

_CONNECT_SECONDS = 5.0
#: How long a transaction is tried again; a longer outage is for the job's own retries.
_RETRY_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
#: After this Neo4j ends a transaction, so that the locks of a stalled writer do not stay.
_TRANSACTION_SECONDS = 30.0
#: Of two that MERGE the same new key, or create the same index, one may be refused.
_RACES = "Neo.ClientError.Schema."
_RACING_TRIES = 4
_AT_FAULT_IS_A_SETTING = ("Neo.ClientError.Security.", "Neo.ClientError.Database.")
#: The server's limit on a transaction's time, which another try may keep.
_ENDS = "Neo.ClientError.Transaction.TransactionTimedOut"


class Run(Protocol):
    """Runs one statement of a transaction and returns its rows."""

    def __call__(self, query: str, **parameters: Any) -> list[Row]:
        """Run `query`; the values may be anything that `to_bolt` takes."""


class Index(NamedTuple):
    """Properties of a label that are looked up together, in this order."""

    label: str
    properties: tuple[str, ...]


class Schema(NamedTuple):
    """What must be unique, and what else needs an index."""

    unique: tuple[Index, ...]
    indexes: tuple[Index, ...]


_drivers: dict[int, Driver] = {}
_ensured: set[tuple[int, Schema]] = set()


def write(work: Callable[[Run], T]) -> T:
    """Call `work` in a write transaction; commit when it returns, roll back when it raises.

    `work` may be called several times and must start from nothing each time.
    Raises Transient, Misconfigured or Permanent; what `work` raises passes through.
    """

    @unit_of_work(timeout=_TRANSACTION_SECONDS)
    def transaction(bolt: Transaction) -> T:
        return work(_runner(bolt))

    def attempt() -> T:
        with _session() as session:
            return session.execute_write(transaction)  # type: ignore[arg-type]

    with _our_errors():
        return _again(attempt)


def read(query: str, **parameters: Any) -> list[Row]:
    """Return the rows of a query that only reads; raises like `write`.

    A cluster's leader answers: the others may lag behind what was just written.
    """
    return write(lambda run: run(query, **parameters))


def stream(query: str, **parameters: Any) -> Iterator[Row]:
    """Yield the rows of a query that only reads, in constant memory; never tries again."""
    with _our_errors(), _session() as session, session.begin_transaction() as bolt:
        for record in bolt.run(query, to_bolt(parameters)):
            yield from_bolt(record.data())


def ensure_schema(schema: Schema) -> None:
    """Create what is missing of `schema`, once per process; safe from many at once."""
    mark = (os.getpid(), schema)
    if mark in _ensured:
        return
    with _our_errors(), _session() as session:
        agent = _driver().get_server_info().agent or ""
        for statement in schema_statements(schema, memgraph="memgraph" in agent.lower()):
            # Not in an explicit transaction, where Memgraph refuses schema changes.
            _again(lambda text=statement: session.run(text).consume())  # type: ignore[misc]
    _ensured.add(mark)


def schema_statements(schema: Schema, *, memgraph: bool = False) -> Iterable[str]:
    """Return the statements that create `schema`; repeating them changes nothing.

    Memgraph: https://memgraph.com/docs/fundamentals/constraints
    """
    for label, properties in schema.unique:
        columns = ", ".join(f"n.{name}" for name in properties)
        if memgraph:  # its constraints bring no index along
            yield f"CREATE CONSTRAINT ON (n:{label}) ASSERT {columns} IS UNIQUE"
            yield f"CREATE INDEX ON :{label}({', '.join(properties)})"
        else:
            yield (
                f"CREATE CONSTRAINT headrace_{label.lower()} IF NOT EXISTS "
                f"FOR (n:{label}) REQUIRE ({columns}) IS UNIQUE"
            )
    for label, properties in schema.indexes:
        columns = ", ".join(f"n.{name}" for name in properties)
        if memgraph:
            yield f"CREATE INDEX ON :{label}({', '.join(properties)})"
        else:
            yield (
                f"CREATE INDEX headrace_{label.lower()}_{properties[0]} IF NOT EXISTS "
                f"FOR (n:{label}) ON ({columns})"
            )


def close() -> None:
    """Close this process's connections; the next call opens new ones."""
    _ensured.clear()
    driver = _drivers.pop(os.getpid(), None)
    if driver is not None:
        driver.close()


atexit.register(close)


def _driver() -> Driver:
    """Return the driver of this process: its sockets must not be shared over a fork."""
    pid = os.getpid()
    if pid not in _drivers:
        opened = _open()
        if _drivers.setdefault(pid, opened) is not opened:
            opened.close()
    return _drivers[pid]


def _open() -> Driver:
    password = settings().graph_password.get_secret_value()
    try:
        _ = urlsplit(settings().graph_uri).port  # the driver finds a wrong one only later
        return GraphDatabase.driver(
            settings().graph_uri,
            auth=(settings().graph_user, password) if password else None,
            connection_timeout=_CONNECT_SECONDS,
            connection_acquisition_timeout=2 * _CONNECT_SECONDS,
            # Its pauses start at a second, which is long for two writers in conflict.
            max_transaction_retry_time=0,
            telemetry_disabled=True,
        )
    except (ConfigurationError, ValueError):
        # Not its text: the address may hold a password.
        expected = "bolt://host:7687, bolt+s://…, neo4j://… or neo4j+s://…"
        raise Misconfigured(f"GRAPH_URI is wrong; expected {expected}") from None


def _session() -> Session:
    return _driver().session(database=settings().graph_database or None)


def _runner(bolt: Transaction) -> Run:
    def run(query: str, **parameters: Any) -> list[Row]:
        values = to_bolt(parameters)
        try:
            result = bolt.run(query, values)
            names = result.keys()
        except (ValueError, TypeError, OverflowError) as error:
            raise Permanent(f"A value cannot be sent ({type(error).__name__})") from None
        return [dict(zip(names, map(from_bolt, row), strict=True)) for row in result.values()]

    return run


def _again(attempt: Callable[[], T]) -> T:
    """Call `attempt` until it works, fails for good or `_RETRY_SECONDS` are over."""
    deadline = time.monotonic() + _RETRY_SECONDS
    for tries in count(1):
        try:
            return attempt()
        except (Neo4jError, DriverError) as error:
            if not _passes(error, tries) or time.monotonic() > deadline:
                raise
        pause = min(_FIRST_PAUSE_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
        time.sleep(random.uniform(0.5, 1) * pause)
    raise AssertionError("unreachable")


def _passes(error: Neo4jError | DriverError, tries: int = 1) -> bool:
    """Say whether the same again may work."""
    if isinstance(error, Neo4jError):
        code = error.code or ""
        racing = code.startswith(_RACES) and tries < _RACING_TRIES
        return racing or error.is_retryable() or code.startswith(_ENDS)
    # ServiceUnavailable includes a lost answer to a commit, which is not retryable
    # for the driver; what we write can be written twice.
    away = isinstance(error, ServiceUnavailable | ConnectionAcquisitionTimeoutError)
    return away or error.is_retryable()


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Their text is left out: it may quote keys, which are addresses.
    """
    try:
        yield
    except Neo4jError as error:
        raise _of_server(error) from None
    except DriverError as error:
        raise _of_driver(error) from None
    except OSError as error:
        raise Transient(f"The graph does not answer ({type(error).__name__})") from None


def _of_server(error: Neo4jError) -> HeadraceError:
    code = error.code or type(error).__name__
    if _passes(error, _RACING_TRIES):
        return Transient(f"The graph could not do it now ({code})")
    if code.startswith(_AT_FAULT_IS_A_SETTING):
        return Misconfigured(f"GRAPH_USER, GRAPH_PASSWORD or GRAPH_DATABASE: {code}")
    return Permanent(f"The graph refused a statement ({code})")


def _of_driver(error: DriverError) -> HeadraceError:
    if _passes(error):
        return Transient(f"The graph does not answer ({type(error).__name__})")
    if isinstance(error, ConfigurationError):
        return Misconfigured(f"GRAPH_URI does not fit the server ({type(error).__name__})")
    return Permanent(f"The driver refused a statement ({type(error).__name__})")
