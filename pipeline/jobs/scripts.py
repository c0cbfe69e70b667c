"""The Lua scripts in `lua/`, which alone change what jobs are in Redis."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script

from pipeline.jobs.layout import PREFIX
from pipeline.limits.ledger import window_source
from pipeline.stores import redis_client

#: Scripts that charge start limits.
_WITH_WINDOW = {"step"}


def run(name: str, *args: Any, client: Redis | None = None) -> Any:
    """Run the script `lua/<name>.lua`.  Raises redis.RedisError."""
    return _script(name)(keys=[PREFIX], args=args, client=client or redis_client())


@cache
def _script(name: str) -> Script:
    """Return the script; callers pass the client of their process."""
    folder = files("pipeline.jobs") / "lua"
    parts = [(folder / "prelude.lua").read_text(), (folder / f"{name}.lua").read_text()]
    if name in _WITH_WINDOW:
        parts.insert(0, window_source())
    return redis_client().register_script("".join(parts))
