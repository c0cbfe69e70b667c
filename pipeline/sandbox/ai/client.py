"""What the control client can tell and ask the sandbox's model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

Item = dict[str, Any]


class AiClient(ABC):
    """A part of SandboxClient."""

    def ai_answer(self, says: Any = None, **answer: Any) -> None:
        """Have the model answer the next call with a value as JSON, with a `text` as it stands,
        or with a `refusal`; `finish_reason` and `times` as they are named.  Errors and waits are
        faults of the api `openai`."""
        self._ask("POST", "ai/answers", ({} if says is None else {"says": says}) | answer)

    def ai_requests(self) -> list[Item]:
        """The bodies of calls that the model has answered or was to answer, oldest first."""
        return list(self._ask("GET", "ai/requests")["requests"])

    def clear_ai(self) -> None:
        """Forget what the model was asked, and what it is to say."""
        self._ask("DELETE", "ai/requests")

    @abstractmethod
    def _ask(self, verb: str, path: str, body: Item | None = None) -> Item:
        """Send a control request."""
