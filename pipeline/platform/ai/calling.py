"""Asking a model, and the other one when the first has failed."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

from redis.exceptions import RedisError

from pipeline.clients import openai_chat
from pipeline.clients.openai_chat import Answer, Declined, Endpoint, Unusable
from pipeline.errors import HeadraceError, RateLimited, Transient
from pipeline.limits.budgets import Charge
from pipeline.platform.ai import answers, ledger, prompting, providers, quotas
from pipeline.platform.ai.results import Result
from pipeline.platform.ai.tasks import Task
from pipeline.stores import Row


class Answered(NamedTuple):
    """A result, who gave it by which model, and what that took."""

    result: Result
    provider: str
    model: str
    took: Row


class _Prepared(NamedTuple):
    """What is sent, and what it may take."""

    task: Task
    row: Row
    messages: list[dict[str, str]]
    tokens_in: int
    tokens_out: int


def answer(task: Task, row: Row) -> Answered:
    """Return what a model makes of a claimed request.

    Raises RateLimited for quotas and by the API's word, Unusable for an answer that is none,
    Declined, Misconfigured, Permanent, Transient if no API answers, and what stores raise.
    """
    first, *others = providers.endpoints()
    prepared = _prepare(task, row)
    quotas.check_not_held(first)
    charged = quotas.charge(task.entity.tenant_id, prepared.tokens_in + prepared.tokens_out)
    try:
        return _call(first, prepared, charged)
    except Unusable:
        raise
    except Transient as error:
        failed = str(error)
        for endpoint in others:
            try:
                return _call(endpoint, prepared, charged)
            except (Declined, Unusable):
                raise
            except HeadraceError as second:
                failed += f"; {second}"
        raise Transient(failed) from None


def _prepare(task: Task, row: Row) -> _Prepared:
    messages = prompting.messages(task)
    allowed = task.kind.answer_tokens(task.options, len(task.content.text))
    return _Prepared(task, row, messages, quotas.estimate(messages), allowed)


def _call(endpoint: Endpoint, prepared: _Prepared, charged: Charge) -> Answered:
    task, row = prepared.task, prepared.row
    usage_id = ledger.begin(
        row,
        endpoint.name,
        endpoint.model,
        tokens_in=prepared.tokens_in,
        tokens_out=prepared.tokens_out,
    )
    started = time.monotonic()
    try:
        said = openai_chat.complete(
            endpoint,
            prepared.messages,
            schema_name=task.kind.name.replace("-", "_"),
            schema=answers.schema_of(task.kind.name),
            most_tokens=prepared.tokens_out,
        )
    except (Declined, Unusable) as error:
        _settle(usage_id, error.answer, time.monotonic() - started, charged)
        raise
    except Transient:
        raise  # it may have been answered all the same: the estimate stays
    except HeadraceError as error:
        ledger.refused(usage_id)
        _correct(charged, 0)
        if isinstance(error, RateLimited):
            quotas.hold(endpoint, error.retry_after_seconds)
        raise
    took = _settle(usage_id, said, time.monotonic() - started, charged)
    try:
        return Answered(answers.read(task, said.text), endpoint.name, endpoint.model, took)
    except answers.Wrong as error:
        raise Unusable(f"{endpoint.name}: the answer is not as asked for: {error}", said) from None


def _settle(usage_id: str, said: Answer, seconds: float, charged: Charge) -> Row:
    took = ledger.end(usage_id, said, seconds)
    _correct(charged, quotas.taken(said))
    return took


def _correct(charged: Charge, tokens: int) -> None:
    """Put the charge right; an answer is worth more than a charge that is too high."""
    with contextlib.suppress(RedisError):
        quotas.correct(charged, tokens)
