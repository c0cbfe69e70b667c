"""Tasks without any store."""

from __future__ import annotations

from typing import Any

from pipeline.platform.ai.entities import Content, Entity, Part, hash_of
from pipeline.platform.ai.kinds import KINDS
from pipeline.platform.ai.options import parse
from pipeline.platform.ai.providers import Choice
from pipeline.platform.ai.tasks import Task


def task_of(type_name: str, text: str, **options: Any) -> Task:
    """Return a task about a text, for a model."""
    kind = KINDS[type_name]
    entity = Entity("acme", None, "text", hash_of(text))
    content = Content((Part("", text),))
    choice = Choice("openai", "m", kind.prompt_version)
    return Task(entity, kind, parse(kind.options, options), content, choice)
