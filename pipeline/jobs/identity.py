"""Which job a message is for: its job id, its lane, and what a message may carry."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import Permanent
from pipeline.queues import Job

#: A message carries ids and small scalars; whatever is larger belongs into MongoDB.
MOST_MESSAGE_BYTES = 64 * 1024

#: Scopes, in the order in which a lane names them, and the arguments that hold them.
_SCOPES = {
    "user": "user_id",
    "source": "source",
    "mailbox": "mailbox_id",
    "connection": "connection_id",
    "sender": "sender_id",
}
#: Control characters, and halves of a character.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def named(job: Job, args: Sequence[Any]) -> dict[str, Any]:
    """Return the arguments of `job` by name.  Raises Permanent if there are more or fewer."""
    if len(args) != len(job.arguments):
        wanted = ", ".join(job.arguments) or "none"
        raise Permanent(
            f"job {job.name} takes {len(job.arguments)} arguments ({wanted}), not {len(args)}"
        )
    return dict(zip(job.arguments, args, strict=True))


def in_order(job: Job, args: Sequence[Any], by_name: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of a call in the order in which a message carries them.

    Raises Permanent for a name that the job does not take, or that is missing.
    """
    rest = job.arguments[len(args) :]
    if by_name and set(by_name) != set(rest):
        raise Permanent(
            f"job {job.name} takes ({', '.join(job.arguments)}); "
            f"called with {len(args)} and {', '.join(sorted(by_name))}"
        )
    return (*args, *(by_name[name] for name in rest if by_name))


def job_id(job: Job, arguments: dict[str, Any]) -> str:
    """Return the id by which the same work is known to be the same."""
    return job.id_pattern.format(**{name: _escaped(value) for name, value in arguments.items()})


def lane(tenant_id: str, arguments: dict[str, Any]) -> str:
    """Return the scopes of a job, a line each, tenant first (layout.py)."""
    lines = [f"tenant:{tenant_id}"] if tenant_id else []
    lines += [f"{scope}:{arguments[name]}" for scope, name in _SCOPES.items() if name in arguments]
    return "\n".join(lines)


def check_text(what: str, text: str) -> None:
    """Raise Permanent if `text` holds control characters, which separate things in Redis,
    or halves of a character, which cannot be written at all."""
    if _UNWRITABLE.search(text):
        raise Permanent(f"{what} holds control characters; ids are printable text")


def encoded(job: Job, arguments: dict[str, Any]) -> str:
    """Return the arguments as they are kept in Redis.

    Raises Permanent if one is not JSON, or if they are too large.
    """
    for name, value in arguments.items():
        if isinstance(value, str):
            check_text(f"{name} of job {job.name}", value)
        elif not (value is None or isinstance(value, bool | int) or _is_finite(value)):
            raise Permanent(
                f"{name} of job {job.name} is a {type(value).__name__}; a message carries ids "
                "and small scalars (text, numbers, true, false, null), never data"
            )
    text = json.dumps(list(arguments.values()), ensure_ascii=False, separators=(",", ":"))
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > MOST_MESSAGE_BYTES:
        raise Permanent(
            f"the arguments of job {job.name} are {size_bytes} bytes, more than "
            f"{MOST_MESSAGE_BYTES}; send the id of what they describe"
        )
    return text


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _escaped(value: Any) -> str:
    """Keep two jobs from having one id: a colon inside an argument is no separator."""
    return str(value).replace("%", "%25").replace(":", "%3A")
