"""Chat completions of any OpenAI-compatible API, by the official client.

https://platform.openai.com/docs/api-reference/chat/create
Nothing is tried twice here.  Our messages carry status and codes, never the API's text, which
may quote what was sent.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from pipeline import metrics
from pipeline.clients.retry_after import seconds_of_header
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured, Permanent, RateLimited, Transient

if TYPE_CHECKING:
    import openai

METHOD = "chat.completions"
#: What to wait where the API does not say, and at most.
_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 86_400.0
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
#: What an account without money is told, with the status of a rate limit.
_NO_CREDITS = "insufficient_quota"
#: What somebody on the way says who has not waited for the answer.
_GIVEN_UP = (408, 502, 504)
#: Causes of errors before anything was sent.
_NEVER_CONNECTED = ("ConnectError", "ConnectTimeout")
#: OpenAI's own newer models take the limit of an answer by this name only; others know the old.
_NEW_LIMIT_HOSTS = ("openai.com", "openai.azure.com")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API, the model that is asked there, and the name by which it is told of."""

    name: str
    base_url: str
    api_key: SecretStr = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and what that took; `tokens_cached` are a part of `tokens_in`."""

    text: str = field(repr=False)
    tokens_in: int
    tokens_out: int
    tokens_cached: int


class Unanswered(Transient):
    """There is no answer; there may have been one, which was lost and is paid for."""


class Unusable(Transient):
    """The model answered, but not what was asked for; another try may do better.

    `answer` is what it took.
    """

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class Declined(Permanent):
    """The model does not answer this content.  `answer` is what that took."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


def complete(
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, str]],
    *,
    schema_name: str,
    schema: Mapping[str, Any],
    most_tokens: int,
) -> Answer:
    """Return the model's answer, which is meant to be JSON of `schema`.

    Raises RateLimited, Misconfigured, Permanent for a refused request, Declined, Unusable for an
    answer that is cut off or empty, Unanswered, and Transient for what certainly did nothing.
    """
    client = _client(os.getpid(), endpoint.base_url, endpoint.api_key.get_secret_value())
    host = urlsplit(endpoint.base_url).hostname or ""
    limit = "max_completion_tokens" if host.endswith(_NEW_LIMIT_HOSTS) else "max_tokens"
    wanted = {"name": schema_name, "schema": dict(schema), "strict": True}
    with metrics.PROVIDER_SECONDS.labels(endpoint.name, METHOD).time():
        found = _called(
            endpoint,
            client,
            {
                "model": endpoint.model,
                "messages": list(messages),
                "response_format": {"type": "json_schema", "json_schema": wanted},
                "timeout": settings().ai_timeout_seconds,
                limit: most_tokens,
            },
        )
    return _answer(endpoint, found)


def _called(endpoint: Endpoint, client: openai.OpenAI, request: Mapping[str, Any]) -> Any:
    import openai

    code = "0"
    try:
        found = client.chat.completions.create(**request)
        code = "200"
    except openai.APIStatusError as error:
        code = str(error.status_code)
        raise _refusal(endpoint, error) from None
    except (openai.OpenAIError, ValueError) as error:
        # The texts of these errors may hold the address; a ValueError is an answer that is no JSON.
        text = f"{endpoint.name}: no usable answer ({type(error).__name__})"
        is_unsent = type(error.__cause__).__name__ in _NEVER_CONNECTED
        raise (Transient if is_unsent else Unanswered)(text) from None
    finally:
        metrics.PROVIDER_CALLS.labels(endpoint.name, METHOD, code).inc()
    return found


def _answer(endpoint: Endpoint, found: Any) -> Answer:
    """Return what a completion says; any part of it may be missing, whatever its type says."""
    choices = getattr(found, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise Unanswered(f"{endpoint.name}: the answer has no choices")
    choice, message = choices[0], getattr(choices[0], "message", None)
    text = getattr(message, "content", None)
    used = getattr(found, "usage", None)
    details = getattr(used, "prompt_tokens_details", None)
    answer = Answer(
        text if isinstance(text, str) else "",
        _count(used, "prompt_tokens"),
        _count(used, "completion_tokens"),
        _count(details, "cached_tokens"),
    )
    reason = getattr(choice, "finish_reason", None)
    if getattr(message, "refusal", None) or reason == "content_filter":
        raise Declined(f"{endpoint.name}: the model declines to answer this content", answer)
    if reason == "length":
        raise Unusable(f"{endpoint.name}: the answer is cut off", answer)
    if not answer.text:
        raise Unusable(f"{endpoint.name}: the answer is empty", answer)
    return answer


def _count(of: Any, name: str) -> int:
    value = getattr(of, name, None)
    return value if isinstance(value, int) and value > 0 else 0


def _refusal(endpoint: Endpoint, error: openai.APIStatusError) -> HeadraceError:
    status, code = error.status_code, _code_of(error.body)
    text = f"{endpoint.name} was answered {status}" + (f" ({code})" if code else "")
    if status == 429:
        if code == _NO_CREDITS:
            return Misconfigured(f"{text}: the account has no credits left")
        return RateLimited(text, retry_after_seconds=_wait_seconds(error), scope="project")
    if status in (401, 403):
        return Misconfigured(f"{text}: {_setting(endpoint, 'API_KEY')} is not accepted there")
    if status == 404:
        names = f"{_setting(endpoint, 'MODEL')} or {_setting(endpoint, 'BASE_URL')}"
        return Misconfigured(f"{text}: {names} is wrong")
    if 300 <= status < 400:
        wrong = _setting(endpoint, "BASE_URL")
        return Misconfigured(f"{text}, a redirect: {wrong} is wrong")
    if status in _GIVEN_UP:
        return Unanswered(text)
    if status >= 500 or status == 409:
        return Transient(text)
    return Permanent(f"{text}: the request is refused")


def _code_of(body: object) -> str:
    """Return the code of an error if it is one; the text beside it may quote the request."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        return ""
    codes = (inner.get("code"), inner.get("type"))
    return next((c for c in codes if isinstance(c, str) and _CODE.fullmatch(c)), "")


def _setting(endpoint: Endpoint, name: str) -> str:
    return f"AI_{name}" if endpoint.name == "openai" else f"AI_{endpoint.name.upper()}_{name}"


def _wait_seconds(error: openai.APIStatusError) -> float:
    asked = seconds_of_header(error.response.headers.get("Retry-After", ""))
    return min(max(asked or _WAIT_SECONDS, 1.0), _LONGEST_WAIT_SECONDS)


@lru_cache(maxsize=8)
def _client(_pid: int, base_url: str, api_key: str) -> openai.OpenAI:
    """Return the client of this process: a fork opens its own connections."""
    try:
        import openai
    except ImportError:
        raise Misconfigured(
            "AI by an API needs the package openai: pip install 'headrace[ai]'"
        ) from None
    # The key goes to no other host.
    http = openai.DefaultHttpxClient(follow_redirects=False)
    client = openai.OpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)
    weakref.finalize(client, http.close)
    return client
