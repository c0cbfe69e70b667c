"""Asking MongoDB while a visitor waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pymongo
from pymongo.errors import PyMongoError

from pipeline.errors import Transient
from pipeline.web.stores import prober, told

_PATIENCE_SECONDS = 3.0


@contextmanager
def asking_mongodb() -> Iterator[None]:
    """Give the body a few seconds, none at all while MongoDB is known to be down.

    Raises Transient if it does not answer.
    """
    if problem := prober().known_problem("mongodb"):
        raise Transient(problem)
    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            yield
    except PyMongoError as error:
        problem = told("mongodb", error)
        prober().note("mongodb", problem)
        raise Transient(problem) from None
