"""Whether each store answers, asked in a few seconds: a person is waiting.

The clients of pipeline.stores wait half a minute or more for a store that
restarts, as a worker should.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.uri_parser import parse_uri
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Transient

PATIENCE_SECONDS = 3.0
_BOLT_PORT = 7687

#: A store's problem in words, None if it answers.
Problem = str | None


def mongodb_problem() -> Problem:
    """Return why MongoDB does not answer a query, or None; raises Misconfigured."""
    uri = settings().mongodb_uri.get_secret_value()
    patience_ms = int(PATIENCE_SECONDS * 1000)
    try:
        _require_a_listener(uri)
        with MongoClient[dict[str, object]](
            uri,
            serverSelectionTimeoutMS=patience_ms,
            connectTimeoutMS=patience_ms,
            socketTimeoutMS=patience_ms,
        ) as client:
            client.get_default_database().command("ping")
    except (ConfigurationError, ValueError):  # their text may quote a password
        raise Misconfigured(
            "MONGODB_URI cannot be read; expected mongodb://user:password@host:port/database, "
            "with special characters of the password escaped as in %2F"
        ) from None
    except OSError as error:
        return f"MongoDB does not answer at MONGODB_URI ({_reason(error)})"
    except PyMongoError as error:
        return f"MongoDB does not answer at MONGODB_URI ({type(error).__name__})"
    return None


def _require_a_listener(uri: str) -> None:
    """Raise OSError if every server of the address refuses: the client would wait all the same."""
    if uri.startswith("mongodb+srv://"):
        return
    refusals = []
    for host, port in parse_uri(uri)["nodelist"]:
        if port is None:  # a socket file
            return
        try:
            socket.create_connection((host, port), timeout=PATIENCE_SECONDS).close()
        except OSError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def redis_problem() -> Problem:
    """Return why Redis does not answer a command, or None; raises Misconfigured."""
    try:
        with quick_redis() as client:
            client.ping()
    except ValueError:
        raise Misconfigured("REDIS_URL cannot be read; expected redis://host:port/0") from None
    except RedisError as error:
        return f"Redis does not answer at REDIS_URL ({type(error).__name__})"
    return None


def graph_problem() -> Problem:
    """Return why the graph does not answer a query, or None; raises Misconfigured."""
    # Its driver takes a quarter of a second to import, and few commands need it.
    from pipeline.clients import graph

    try:
        parts = urlsplit(settings().graph_uri)
        address = (parts.hostname or "", parts.port or _BOLT_PORT)
        # The client would try again for longer than a person waits.
        socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
        graph.read("RETURN 1 AS one")
    except ValueError:
        raise Misconfigured("GRAPH_URI cannot be read; expected bolt://host:port") from None
    except OSError as error:
        return f"the graph does not answer at GRAPH_URI ({_reason(error)})"
    except Misconfigured:
        raise
    except HeadraceError as error:
        return f"the graph does not answer at GRAPH_URI: {error}"
    return None


def quick_redis() -> Redis:
    """Return a Redis client that gives up soon."""
    return Redis.from_url(
        settings().redis_url.get_secret_value(),
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


PROBES: dict[str, Callable[[], Problem]] = {
    "mongodb": mongodb_problem,
    "redis": redis_problem,
    "graph": graph_problem,
}


def problems() -> dict[str, Problem]:
    """Return the problem of each store, all asked at once."""
    with ThreadPoolExecutor(max_workers=len(PROBES)) as pool:
        asked = {name: pool.submit(probe) for name, probe in PROBES.items()}
        return {name: answer.result() for name, answer in asked.items()}


def require(*stores: str) -> None:
    """Raise Transient at once if one of `stores` does not answer."""
    for store in stores:
        if problem := PROBES[store]():
            raise Transient(problem)
