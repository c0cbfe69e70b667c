"""Enqueueing: one script for any number of jobs, each known by its job id."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import metrics
from pipeline.errors import Permanent
from pipeline.jobs import identity, scripts
from pipeline.jobs.current import correlation_id, current
from pipeline.queues import Job, job_named
from pipeline.release import RELEASE


@dataclass(frozen=True, slots=True)
class Send:
    """A job to be enqueued.

    `job_id` is derived from the arguments where it is not given.  `once` is a
    token that is enqueued at most once in `once_seconds`, whatever became of
    the job.  `correlation_id` ties together what one tick or request caused; by
    default that of the job or request that sends.
    """

    job: str
    args: tuple[Any, ...] = ()
    delay_seconds: float = 0
    tenant_id: str = ""
    job_id: str | None = None
    once: str | None = None
    once_seconds: float = 86_400
    correlation_id: str | None = None
    options: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of it; not `created` if a job with this id was there, or the token was used."""

    message_id: str
    job_id: str
    created: bool


def new_message_id() -> str:
    """Return a message id: 16 random hex digits."""
    return secrets.token_hex(8)


def enqueue(sends: Sequence[Send], message_ids: Sequence[str] | None = None) -> list[Sent]:
    """Enqueue all of `sends` in one step, and say what became of each.

    Raises Misconfigured for a job that is not in the table, Permanent for
    arguments that no message can carry; nothing is enqueued then.
    """
    if not sends:
        return []
    running = current()
    parent = running.message_id if running else ""
    args: list[Any] = [correlation_id(), parent, RELEASE]
    jobs, job_ids = [], []
    for send, message_id in zip(sends, message_ids or map(_new, sends), strict=True):
        job = job_named(send.job)
        arguments = identity.named(job, send.args)
        job_id = send.job_id or identity.job_id(job, arguments)
        args += [message_id, *_fields(send, job, arguments, job_id)]
        jobs.append(job)
        job_ids.append(job_id)
    answer = scripts.run("enqueue", *args)
    sent = [
        Sent(answer[2 * n].decode(), job_id, bool(answer[2 * n + 1]))
        for n, job_id in enumerate(job_ids)
    ]
    for job, one in zip(jobs, sent, strict=True):
        outcome = "created" if one.created else "duplicate"
        metrics.JOBS_ENQUEUED.labels(job.queue.name, job.name, outcome).inc()
    return sent


def _new(_: Send) -> str:
    return new_message_id()


def _fields(send: Send, job: Job, arguments: dict[str, Any], job_id: str) -> list[Any]:
    """Return what enqueue.lua takes for one job, after its message id."""
    identity.check_text("the job id", job_id)
    identity.check_text("the tenant id", send.tenant_id)
    return [
        job_id,
        job.name,
        job.queue.name,
        identity.lane(send.tenant_id, arguments),
        identity.encoded(job, arguments),
        _milliseconds(send, send.delay_seconds, least=0),
        int(job.rerun),
        _extra(send),
    ]


def _milliseconds(send: Send, seconds: float, *, least: int) -> int:
    if not math.isfinite(seconds):
        raise Permanent(f"job {send.job}: {seconds} seconds are no time")
    return max(least, round(seconds * 1000))


def _extra(send: Send) -> str:
    extra: dict[str, Any] = {}
    if send.once:
        identity.check_text("the token", send.once)
        extra |= {"once": send.once, "once_ms": _milliseconds(send, send.once_seconds, least=1)}
    if send.correlation_id:
        identity.check_text("the correlation id", send.correlation_id)
        extra["correlation"] = send.correlation_id
    if send.options:
        extra["options"] = _json(send, send.options)
    return json.dumps(extra) if extra else ""


def _json(send: Send, value: dict[str, Any]) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError) as error:
        raise Permanent(f"job {send.job}: {error}; a message is JSON") from None
    if len(text) > identity.MOST_MESSAGE_BYTES:
        raise Permanent(f"job {send.job}: {len(text)} bytes are too many for a message")
    return text
