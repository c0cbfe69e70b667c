"""The part of `/control` that concerns the model: what it is to say, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.ai.chat import Chat, Told
from pipeline.sandbox.fields import Fields

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked

_FINISH = ("stop", "length", "content_filter")


class AiControl:
    """Handlers over one sandbox's model."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def table(self) -> dict[str, dict[str, Callable[[Asked], Any]]]:
        return {
            "/ai/answers": {"POST": self._tell},
            "/ai/requests": {"GET": self._list, "DELETE": self._clear},
        }

    def _tell(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("says", "text", "refusal", "finish_reason", "times"))
        finish = given.choice("finish_reason", _FINISH) if given.has("finish_reason") else "stop"
        refusal = given.text("refusal") if given.has("refusal") else None
        text = ""
        if given.has("says"):
            text = json.dumps(given.raw("says"), ensure_ascii=False)
        elif refusal is None:
            text = given.text("text")
        times = given.whole("times", 1, lowest=1)
        self._chat.tell(Told(text, refusal, finish), times)
        return {"times": times}

    def _list(self, _: Asked) -> Any:
        return {"requests": self._chat.asked()}

    def _clear(self, _: Asked) -> Any:
        self._chat.clear()
        return {}
