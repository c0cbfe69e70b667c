"""Carrying a request out: what is there now, who answers, and what comes of it.

Killed anywhere, it leaves a claim that ends, after which another job begins anew: the call
that was under way stands in the ledger as one without an answer.
"""

from __future__ import annotations

import time

from dramatiq.middleware import Shutdown

from pipeline.clients.openai_chat import Answer
from pipeline.errors import Gone, HeadraceError, LeaseLost, Permanent, RateLimited, Transient
from pipeline.metrics import AI_REQUESTS, AI_SECONDS, AI_TOKENS
from pipeline.platform.ai import asking, calling, ledger, local, rows, tasks
from pipeline.platform.ai.calling import Answered
from pipeline.platform.ai.tasks import Task
from pipeline.queues import AI_PROCESSING
from pipeline.refusals import Refused
from pipeline.stores import Row


def run(request_id: str) -> str:
    """Answer a request, once, and say in words what came of it.

    Safe to run twice, and two at a time.  Raises Gone if there is none, or what it is about is
    gone; LeaseLost if another job has it; RateLimited for quotas; and what its failure means.
    """
    row = rows.claim(request_id)
    if row is None:
        return "it was answered before"
    try:
        with rows.heartbeat(row):
            return _carry_out(row)
    except BaseException as error:  # also of a worker that is stopped: another begins at once
        _give_up(row, error)
        raise


def _give_up(row: Row, error: BaseException) -> None:
    """Write what comes next for a request, as it comes next for its job."""
    is_passing = isinstance(error, Transient) or not isinstance(error, HeadraceError)
    if isinstance(error, LeaseLost):
        return
    if isinstance(error, RateLimited):
        rows.put_back(row, error, wait_seconds=error.retry_after_seconds, free=True)
        _count(row, "rate_limited")
    elif isinstance(error, Shutdown):
        rows.put_back(row, error, free=True)
    elif is_passing and row["attempts"] < AI_PROCESSING.attempts:
        rows.put_back(row, error)
        _count(row, "retried")
    else:
        rows.failed(row, error)
        _count(row, "failed")


def _carry_out(row: Row) -> str:
    if row["attempts"] > AI_PROCESSING.attempts:
        raise Permanent(f"{row['attempts'] - 1} workers were lost over it")
    try:
        task = tasks.of_row(row)
    except Refused as error:
        if error.field.startswith(("entity", "user")):
            raise Gone(str(error)) from None
        raise
    if task.key != row["_id"]:
        return _replace(row, task)
    answered = _answer(task, row)
    result = answered.result.model_dump(mode="json")
    who = {"provider": answered.provider, "model": answered.model}
    rows.done(row, result, **who, **answered.took)
    _observe(row, answered)
    return f"{row['type']} by {answered.provider} {answered.model}"


def _replace(row: Row, task: Task) -> str:
    """Ask for what is there now; the former request says which one that is."""
    newer = rows.keep(task, row["requested_by"])
    rows.replaced(row, newer["_id"])
    if newer["status"] == "queued":
        asking.queue(newer)
    _count(row, "replaced")
    return "the content or the model has changed: another request is about that"


def _answer(task: Task, row: Row) -> Answered:
    if task.choice.provider != "local":
        return calling.answer(task, row)
    usage_id = ledger.begin(row, "local", task.choice.model, tokens_in=0, tokens_out=0)
    started = time.monotonic()
    result = local.answer(task)
    took = ledger.end(usage_id, Answer("", 0, 0, 0), time.monotonic() - started)
    return Answered(result, "local", task.choice.model, took)


def _observe(row: Row, answered: Answered) -> None:
    _count(row, "done")
    AI_SECONDS.labels(row["type"], answered.provider).observe(answered.took["seconds"])
    for direction in ("in", "out", "cached"):
        AI_TOKENS.labels(answered.provider, direction).inc(answered.took[f"tokens_{direction}"])


def _count(row: Row, outcome: str) -> None:
    AI_REQUESTS.labels(row["type"], outcome).inc()
