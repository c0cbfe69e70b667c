"""Who the last requests came from, so that a look need not ask MongoDB who it is."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from pipeline.web.access.principal import Principal

#: How long an answer is believed.  What ends a session in another process acts that late.
TRUST_SECONDS = 3.0
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Who a session belonged to when somebody asked; None: it was over."""

    principal: Principal | None
    asked_at: float


class Remembered:
    """The last answers by session, bounded in time and number."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, session_id: str) -> Answer | None:
        """Return the answer, None if there is none to be believed."""
        answer = self._answers.get(session_id)
        fresh = answer and time.monotonic() - answer.asked_at < TRUST_SECONDS
        return answer if fresh else None

    def put(self, session_id: str, principal: Principal | None) -> None:
        """Remember an answer."""
        with self._lock:
            self._answers[session_id] = Answer(principal, time.monotonic())
            self._answers.move_to_end(session_id)
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)

    def forget(self, session_id: str) -> None:
        """Ask anew at the next request of a session."""
        with self._lock:
            self._answers.pop(session_id, None)

    def forget_user(self, name: str) -> None:
        """Ask anew at the next request of every session of an account."""
        with self._lock:
            for session_id, answer in list(self._answers.items()):
                if answer.principal and answer.principal.name == name:
                    del self._answers[session_id]


remembered = Remembered()
