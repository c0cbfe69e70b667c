"""Decides what comes next for a job after an attempt: design's error tree, as code."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Shutdown
from redis.exceptions import RedisError

from pipeline import metrics
from pipeline.config import settings
from pipeline.errors import (
    Gone,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Unfinished,
)
from pipeline.jobs import controls, identity
from pipeline.jobs.current import summarize
from pipeline.jobs.delivery import JobProxy, Outcome
from pipeline.jobs.failure import Reason, described, frames
from pipeline.jobs.pump import Cancelled
from pipeline.queues import DAY, job_named, queue_named

log = logging.getLogger(__name__)

#: Who waits when a provider says so for more than one user.
_SHARED_SCOPES = ("project", "day")


class Outcomes(Middleware):
    """In place of Dramatiq's Retries, which send a new message and then acknowledge the old
    one: killed in between, or with Redis away, a job is lost or doubled.  Here an attempt has
    an outcome, and the script that files the attempt moves the job on in the same step."""

    @property
    def actor_options(self) -> set[str]:
        """Return the option by which Dramatiq leaves saying what went wrong to us (names.py)."""
        return {"throws"}

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """Attach the outcome to the message."""
        assert isinstance(message, JobProxy)
        message.outcome = outcome_of(message, exception)
        if exception is not None:
            _log(message, message.outcome, exception)
        if isinstance(exception, RateLimited):
            metrics.RATE_LIMIT_HITS.labels(message.queue_name, exception.scope).inc()
            _pause_source(message, exception)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """A job that skipped itself is done; one that was cancelled did not even begin."""
        assert isinstance(message, JobProxy)
        if message.cancelled:
            message.outcome = outcome_of(message, Cancelled())
        else:
            message.outcome = Outcome("completed", why="skipped")


def _log(message: JobProxy, outcome: Outcome, error: BaseException) -> None:
    """Say that an attempt did not go well: where, but not with what, which may be personal."""
    fields = {
        "job_id": message.delivery.job_id,
        "message_id": message.delivery.message_id,
        "attempt": message.delivery.attempt,
        "error": type(error).__name__,
    }
    if outcome.state == "failed":
        reason = (outcome.error or {}).get("reason", "")
        log.error("job failed", extra=fields | {"reason": reason, "traceback": outcome.traceback})
    elif outcome.give_back or outcome.state == "completed":
        log.info("job put off", extra=fields | {"why": outcome.why})
    else:
        log.warning("attempt failed", extra=fields | {"traceback": outcome.traceback})


def outcome_of(message: JobProxy, error: BaseException | None) -> Outcome:
    """Return what comes next after an attempt that ended with `error`, or well."""
    match error:
        case None:
            return Outcome("completed")
        case RateLimited():
            return Outcome(
                "delayed",
                f"rate limit ({error.scope})",
                round(_wait_seconds(error) * 1000),
                give_back=True,
                deferred=True,
                error=described(error),
            )
        case Unfinished():
            wait_ms = round(error.delay_seconds * 1000)
            why = "unfinished: goes on behind the others"
            return Outcome("delayed" if wait_ms else "waiting", why, wait_ms, give_back=True)
        case LeaseLost() | Gone():
            summarize(str(error))
            return Outcome("completed")
        case Shutdown():
            return Outcome("waiting", "its worker was stopped", give_back=True, in_front=True)
        case Cancelled():
            return _failed(error, "cancelled", letter=False)
        case ReauthRequired():
            # The connection says so, and its user was told; there is nothing to replay.
            return _failed(error, "needs_reauth", letter=False)
        case Permanent():
            return _failed(error, "permanent")
        case Misconfigured():
            return _failed(error, "misconfigured")
        case _:
            return _again_or_failed(message, error)


def _again_or_failed(message: JobProxy, error: BaseException) -> Outcome:
    queue = queue_named(message.queue_name)
    attempt = message.delivery.attempt
    if attempt >= queue.attempts:
        return _failed(error, "attempts_spent")
    jitter = 1 + random.random() * settings().job_backoff_jitter
    return Outcome(
        "delayed",
        f"attempt {attempt} of {queue.attempts} failed",
        round(queue.backoff_before_ms(attempt + 1) * jitter),
        error=described(error),
        traceback=frames(error),
    )


def _failed(error: BaseException, reason: Reason, *, letter: bool = True) -> Outcome:
    return Outcome("failed", letter=letter, error=described(error, reason), traceback=frames(error))


def _wait_seconds(error: RateLimited) -> float:
    """Return how long to wait: at most a day, also if a provider asks for what makes no sense."""
    asked = error.retry_after_seconds
    return max(0.0, asked) if asked < DAY else DAY


def _pause_source(message: JobProxy, error: RateLimited) -> None:
    """Keep others from running into a limit that they share."""
    arguments = identity.named(job_named(message.actor_name), message.args)
    source = arguments.get("source")
    if source is None or error.scope not in _SHARED_SCOPES:
        return
    with suppress(RedisError):  # the next one to be refused says it again
        controls.pause(
            f"source:{source}",
            reason=f"the provider's {error.scope} quota is used up",
            by="quota",
            until=datetime.now(UTC) + timedelta(seconds=_wait_seconds(error)),
            keep_longer=True,
        )
