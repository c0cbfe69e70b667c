"""Chat completions as https://platform.openai.com/docs/api-reference/chat/create tells of them."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pipeline.sandbox import faults as fault_rules
from pipeline.sandbox.ai import AI_API_KEY, AI_MODELS, OPENAI_API
from pipeline.sandbox.ai.answering import question_of, tokens_of, usual_answer
from pipeline.sandbox.calls import ApiError, Call, Method, Reply
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.usage import Usage

_PATH = "/v1/chat/completions"
#: So many requests are remembered; older ones are forgotten.
_MOST_KEPT = 1000


@dataclass(frozen=True)
class Told:
    """What the model is to answer: `text` as it stands, or that it declines (`refusal`)."""

    text: str = ""
    refusal: str | None = None
    finish_reason: str = "stop"


class Chat:
    """Answers chat completions; what it was told to answer comes first, in that order."""

    def __init__(self, faults: Faults, usage: Usage) -> None:
        self._faults, self._usage = faults, usage
        self._told: deque[Told] = deque()
        self._asked: deque[dict[str, Any]] = deque(maxlen=_MOST_KEPT)
        self._number, self._lock = 0, threading.Lock()
        self._method = Method(
            *(OPENAI_API, "chat.completions", "POST", _PATH), frozenset(), self._complete
        )

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is this API's."""
        return path == _PATH

    def tell(self, told: Told, times: int) -> None:
        """Answer the next calls so."""
        with self._lock:
            self._told.extend([told] * times)

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of requests with the right key, oldest first."""
        with self._lock:
            return list(self._asked)

    def clear(self) -> None:
        """Forget what was asked, and what is to be answered."""
        with self._lock:
            self._told.clear()
            self._asked.clear()

    def answer(self, call: Call) -> Reply:
        """Answer a call; never raises ApiError."""
        try:
            if call.verb != "POST":
                raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Use POST.")
            _sign_in(call)
            call.fault = self._faults.choose(call, self._method, None)
            fault_rules.before(call, self._method)
            reply = self._complete(call)
            fault_rules.instead(call)
        except ApiError as error:
            reply = _refused(error)
        self._usage.add(OPENAI_API, self._method.name, "", reply.status, 1)
        return fault_rules.after(reply, call.fault)

    def _complete(self, call: Call) -> Reply:
        asked = call.json_body()
        messages = _checked(asked)
        with self._lock:
            self._asked.append(asked)
            self._number += 1
            number = self._number
            told = self._told.popleft() if self._told else None
        if told is None:
            wanted = (asked.get("response_format") or {}).get("json_schema") or {}
            told = Told(usual_answer(str(wanted.get("name", "")), question_of(messages)))
        return Reply.of(_completion(number, asked["model"], messages, told))


def _sign_in(call: Call) -> None:
    kind, _, key = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or key != AI_API_KEY:
        raise ApiError(HTTPStatus.UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided.")


def _checked(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a request.  Raises ApiError for one that the real API refuses."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid_request_error", "messages is missing.")
    if not all(isinstance(message, dict) for message in messages):
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid_request_error", "messages are objects.")
    if asked.get("model") not in AI_MODELS:
        raise ApiError(HTTPStatus.NOT_FOUND, "model_not_found", "The model does not exist.")
    return messages


def _completion(
    number: int, model: str, messages: list[dict[str, Any]], told: Told
) -> dict[str, Any]:
    tokens_in = tokens_of(json.dumps(messages, ensure_ascii=False))
    tokens_out = tokens_of(told.refusal or told.text)
    said = {"role": "assistant", "content": None if told.refusal else told.text}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": told.finish_reason,
                "message": said | {"refusal": told.refusal},
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def _refused(error: ApiError) -> Reply:
    """https://platform.openai.com/docs/guides/error-codes"""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body = {"message": error.message, "type": kind, "param": None, "code": error.reason}
    return Reply(json.dumps({"error": body}).encode(), error.status, error.headers)
