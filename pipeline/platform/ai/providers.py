"""Who answers: a model behind an OpenAI-compatible API, or, without a key, the worker itself."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.clients.openai_chat import Endpoint
from pipeline.config import settings
from pipeline.platform.ai.kinds import Kind
from pipeline.refusals import Refused

_NO_PROMPT = "none"


class Choice(NamedTuple):
    """Who answers, by which model, asked by which version of the prompt."""

    provider: str
    model: str
    prompt_version: str


def choose(kind: Kind) -> Choice:
    """Return who would answer a request now.

    Raises Refused that names the settings that are missing for what needs a model.
    """
    if settings().ai_api_key.get_secret_value():
        return Choice("openai", settings().ai_model, kind.prompt_version)
    if not kind.local:
        missing = "set AI_BASE_URL, AI_API_KEY and AI_MODEL"
        raise Refused("type", f"{kind.name} needs a language model, and there is none; {missing}")
    return Choice("local", kind.local, _NO_PROMPT)


def endpoints() -> list[Endpoint]:
    """Return the APIs that are asked, in order: the second one when the first has failed."""
    known = settings()
    found = [Endpoint("openai", known.ai_base_url, known.ai_api_key, known.ai_model)]
    if known.ai_fallback_base_url:
        found.append(
            Endpoint(
                "fallback",
                known.ai_fallback_base_url,
                known.ai_fallback_api_key,
                known.ai_fallback_model,
            )
        )
    return found
