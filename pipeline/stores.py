"""MongoDB and Redis clients: opened on first use, one per process, never shared over a fork."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import backoff
import mongoengine
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from pipeline.config import settings
from pipeline.errors import Misconfigured, Transient

P = ParamSpec("P")
T = TypeVar("T")
Row = dict[str, Any]

#: A store that restarts is back within seconds; starting up waits for it this often.
CONNECT_TRIES = 10


def per_process(open_client: Callable[[], T]) -> Callable[[], T]:
    """Cache what `open_client` returns for this process id: a fork opens its own."""

    @cache
    def of_process(_pid: int) -> T:
        return open_client()

    @wraps(open_client)
    def client() -> T:
        return of_process(os.getpid())

    return client


def _wait_between_tries() -> Any:
    """Return pauses of 1, 2, 4 … 30 seconds."""
    return backoff.expo(max_value=30)


@per_process
def mongodb() -> Database[Row]:
    """Return the database that MONGODB_URI names, after it has answered.

    Tries 10 times with pauses of 1 to 30 seconds.  Raises Transient if it does
    not answer, Misconfigured if the address is wrong or names no database.
    """
    uri = settings().mongodb_uri.get_secret_value()
    try:
        client: MongoClient[Row] = mongoengine.connect(
            host=uri,
            tz_aware=True,
            uuidRepresentation="standard",
            w="majority",
            serverSelectionTimeoutMS=5000,
        )
        database = client.get_default_database()
    except (ConfigurationError, InvalidURI) as error:
        # Its text may quote a part of the password.
        raise Misconfigured(
            f"MONGODB_URI cannot be read ({type(error).__name__}); "
            "expected mongodb://host/database, with % for special characters"
        ) from None
    try:
        _until_it_answers(lambda: client.admin.command("ping"))
    except PyMongoError as error:
        raise Transient(
            f"MongoDB does not answer at MONGODB_URI ({type(error).__name__})"
        ) from None
    return database


@backoff.on_exception(
    _wait_between_tries, PyMongoError, max_tries=CONNECT_TRIES, jitter=backoff.random_jitter
)
def _until_it_answers(ping: Callable[[], object]) -> None:
    ping()


def collection(model: type[mongoengine.Document]) -> Collection[Row]:
    """Return the pymongo collection of `model`, for bulk work on plain dictionaries."""
    return mongodb()[model._meta["collection"]]


#: Whether somebody waits for what is done here.
_impatient: ContextVar[bool] = ContextVar("headrace_impatient", default=False)


@contextmanager
def impatience() -> Iterator[None]:
    """Have Redis give up within seconds in what is called meanwhile: a person waits for it."""
    token = _impatient.set(True)
    try:
        yield
    finally:
        _impatient.reset(token)


def redis_client() -> Redis:
    """Return the Redis client of this process; it reconnects for about half a minute."""
    return impatient_redis_client() if _impatient.get() else patient_redis_client()


@per_process
def patient_redis_client() -> Redis:
    """Return the client of whoever has time, such as a job."""
    return Redis.from_url(
        settings().redis_url.get_secret_value(),
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), retries=20),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        socket_timeout=10,
        health_check_interval=30,
    )


@per_process
def impatient_redis_client() -> Redis:
    """Return the client of a worker's threads: it gives up within seconds, for they try again
    by themselves and must notice soon that Redis is back."""
    return Redis.from_url(
        settings().redis_url.get_secret_value(),
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=1),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        socket_timeout=3,
        socket_connect_timeout=2,
    )
