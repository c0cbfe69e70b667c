"""Asking a model, and the other one when the first has failed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from redis.exceptions import RedisError

from pipeline.clients import openai_chat
from pipeline.clients.openai_chat import Answer, Declined, Endpoint, Unanswered, Unusable
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


@dataclass(slots=True)
class _Bill:
    """What was charged, and the tokens of each call: as expected until it is known better."""

    charged: Charge
    tokens: dict[str, int] = field(default_factory=dict)

    def settle(self) -> None:
        """Put the charge right; an answer is worth more than a charge that is too high."""
        with contextlib.suppress(RedisError):
            quotas.correct(self.charged, sum(self.tokens.values()))


class _Question(NamedTuple):
    """What is asked, and what it may take."""

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
    question = _question(task, row)
    quotas.check_not_held(first)
    tokens = question.tokens_in + question.tokens_out
    bill = _Bill(quotas.charge(task.entity.tenant_id, tokens))
    try:
        return _ask(question, bill, first, others)
    finally:
        bill.settle()


def _ask(question: _Question, bill: _Bill, first: Endpoint, others: Sequence[Endpoint]) -> Answered:
    try:
        return _call(first, question, bill)
    except Unusable:
        raise
    except Transient as error:
        failed = str(error)
    for endpoint in others:
        try:
            return _call(endpoint, question, bill)
        except (Declined, Unusable):
            raise
        except HeadraceError as error:  # the first one may answer again the next time
            failed += f"; {error}"
    raise Transient(failed)


def _question(task: Task, row: Row) -> _Question:
    messages = prompting.messages(task)
    allowed = task.kind.answer_tokens(task.options, len(task.content.text))
    return _Question(task, row, messages, quotas.estimate(messages), allowed)


def _call(endpoint: Endpoint, question: _Question, bill: _Bill) -> Answered:
    task, name = question.task, endpoint.name
    usage_id = ledger.begin(
        question.row,
        name,
        endpoint.model,
        tokens_in=question.tokens_in,
        tokens_out=question.tokens_out,
    )
    bill.tokens[name] = question.tokens_in + question.tokens_out
    started = time.monotonic()
    try:
        said = openai_chat.complete(
            endpoint,
            question.messages,
            schema_name=task.kind.name.replace("-", "_"),
            schema=answers.schema_of(task.kind.name),
            most_tokens=question.tokens_out,
        )
    except (Declined, Unusable) as error:
        _note(usage_id, question, error.answer, time.monotonic() - started, bill)
        raise
    except Unanswered:
        raise  # it may have been answered and paid for all the same
    except HeadraceError as error:
        ledger.refused(usage_id)
        bill.tokens[name] = 0
        if isinstance(error, RateLimited):
            quotas.hold(endpoint, error.retry_after_seconds)
        raise
    took = _note(usage_id, question, said, time.monotonic() - started, bill)
    try:
        return Answered(answers.read(task, said.text), name, endpoint.model, took)
    except answers.Wrong as error:
        raise Unusable(f"{name}: the answer is not as asked for: {error}", said) from None


def _note(usage_id: str, question: _Question, said: Answer, seconds: float, bill: _Bill) -> Row:
    """Note what an answer took; by its length, if the API does not say."""
    if not (said.tokens_in or said.tokens_out):
        length = quotas.tokens_of(len(said.text))
        said = replace(said, tokens_in=question.tokens_in, tokens_out=length)
    bill.tokens[usage_id.rpartition(":")[2]] = said.tokens_in + said.tokens_out
    return ledger.end(usage_id, said, seconds)
