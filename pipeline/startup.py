"""What every process checks before it takes up work: settings, names, stores, keys."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

import models
from pipeline import log
from pipeline.broker import broker
from pipeline.clients.keyring import check_keys
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured
from pipeline.jobs.names import check_table
from pipeline.schedules import check_schedules
from pipeline.stores import mongodb, redis_client

logger = logging.getLogger(__name__)

#: As those of `headrace`: a setting or name is wrong; a store does not answer.
MISCONFIGURED, NO_ANSWER = 3, 4


def check_stores() -> None:
    """Wait for MongoDB, create missing indexes, check keys and Redis.

    Raises Misconfigured or Transient that names the setting.
    """
    mongodb()
    models.ensure_indexes()
    check_keys()
    policy = _eviction_policy()
    if policy not in ("noeviction", "unknown"):
        logger.warning(
            "Redis may evict queued jobs; set maxmemory-policy to noeviction",
            extra={"policy": policy},
        )


def _eviction_policy() -> str:
    """Return Redis' eviction policy, or "unknown" where a managed Redis hides it."""
    from redis.exceptions import ResponseError

    try:
        answer = redis_client().config_get("maxmemory-policy")
    except ResponseError:
        return "unknown"
    return str(answer.get("maxmemory-policy", "unknown")) if isinstance(answer, dict) else "unknown"


def prepare(role: str) -> None:
    """Make this process ready to work as `role`, or exit with one clear message."""
    try:
        log.configure(settings())
        check_table()
        check_schedules(settings())
        check_stores()
        broker()
    except Misconfigured as error:
        _exit(f"headrace {role} does not start. {error}", MISCONFIGURED)
    except HeadraceError as error:
        _exit(f"headrace {role} gives up: {error}", NO_ANSWER)


def _exit(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    sys.exit(code)


def prepare_worker() -> None:
    """Make a worker process ready; called once in each, after the fork."""
    prepare("worker")
