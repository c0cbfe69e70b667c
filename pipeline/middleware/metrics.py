"""Counts and times every attempt of a job, and serves the worker's metrics."""

from __future__ import annotations

from collections.abc import Callable

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy

from pipeline import metrics
from pipeline.jobs.delivery import JobProxy, Outcome
from pipeline.worker_metrics import serve


class JobMetrics(Middleware):
    """Attempts by outcome, how long they waited and ran, and what became of the jobs."""

    @property
    def forks(self) -> list[Callable[[], int]]:
        """Return the process that serves /metrics for all worker processes of one master."""
        return [serve]

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Note how long the job waited."""
        assert isinstance(message, JobProxy)
        wait_seconds = message.delivery.wait_ms / 1000
        metrics.JOB_WAIT_SECONDS.labels(message.queue_name).observe(wait_seconds)

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Count an attempt after which the job is done, or goes on later."""
        _count(message)

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Count an attempt after which the job has failed."""
        _count(message)


def _count(message: MessageProxy) -> None:
    assert isinstance(message, JobProxy)
    outcome, queue, job = message.outcome, message.queue_name, message.actor_name
    if outcome is None:  # rejected before it ran
        outcome = Outcome("failed", letter=True)
    metrics.JOB_SECONDS.labels(queue, job).observe(message.run_ms / 1000)
    metrics.JOBS.labels(queue, job, _word(outcome)).inc()
    if outcome.deferred:
        metrics.JOB_DEFERRALS.labels(queue, outcome.why).inc()
    if outcome.state in ("completed", "failed"):
        metrics.JOB_ATTEMPTS.labels(queue).observe(message.delivery.attempt)


def _word(outcome: Outcome) -> str:
    if outcome.state in ("completed", "failed"):
        return outcome.state
    if outcome.deferred:
        return "deferred"
    return "handed_back" if outcome.give_back else "retried"
