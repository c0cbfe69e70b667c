"""Microsoft's side of the sandbox, put together."""

from __future__ import annotations

from functools import partial

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.microsoft import (
    delta,
    folder_delta,
    folders,
    inbox_rules,
    mailbox,
    messages,
    sending,
    subscriptions,
)
from pipeline.sandbox.microsoft.batch import GraphBatches
from pipeline.sandbox.microsoft.gate import ROOT, GraphGate
from pipeline.sandbox.microsoft.identity import Identity
from pipeline.sandbox.microsoft.throttle import Throttle
from pipeline.sandbox.microsoft.tokens import GraphTokens
from pipeline.sandbox.quotas import Quotas
from pipeline.sandbox.store import Store
from pipeline.sandbox.usage import Usage

#: Of two that fit a path the first one answers.
_METHODS = (
    *(mailbox.METHODS, folder_delta.METHODS, delta.METHODS),
    *(folders.METHODS, messages.METHODS, sending.METHODS, subscriptions.METHODS),
    inbox_rules.METHODS,
)


class Microsoft:
    """Graph, and the identity platform behind it."""

    def __init__(self, store: Store, quotas: Quotas, faults: Faults, usage: Usage) -> None:
        self.tokens = GraphTokens(store)
        self.identity = Identity(store, self.tokens)
        throttle = Throttle(quotas)
        self._gate = GraphGate(self.tokens, quotas, throttle, faults, usage)
        for methods in _METHODS:
            self._gate.add(methods)
        part = partial(self._gate.answer, in_batch=True)
        self._gate.add(GraphBatches(part, throttle).methods())

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is Graph's; those of sign-in are among the others'."""
        return path.startswith(f"{ROOT}/")

    def answer(self, call: Call) -> Reply:
        """Answer a request to Graph."""
        return self._gate.answer(call)
