"""Prompts: versioned files, and contents fenced so that nothing in them counts as an order."""

from __future__ import annotations

import json
import secrets
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from pipeline.platform.ai.kinds import RULES_VERSION
from pipeline.platform.ai.options import CategorizeOptions, Options
from pipeline.platform.ai.tasks import Task


def messages(task: Task) -> list[dict[str, str]]:
    """Return what a model is asked: rules, and the content between lines nobody can guess."""
    text = task.content.text
    boundary = _boundary(text)
    rules = _text("rules", RULES_VERSION).substitute(boundary=boundary)
    own = _text(task.kind.name, task.kind.prompt).substitute()
    asked = json.dumps(_said(task.options), ensure_ascii=False)
    return [
        {"role": "system", "content": f"{own.strip()}\n\n{rules.strip()}"},
        {"role": "user", "content": f"Options: {asked}\n\n{boundary}\n{text}\n{boundary}"},
    ]


def _said(options: Options) -> dict[str, Any]:
    said = options.model_dump(mode="json", exclude_none=True)
    if isinstance(options, CategorizeOptions):
        said["categories"] = [one.model_dump(mode="json") for one in options.offered]
    return said


def _boundary(text: str) -> str:
    """Return a line that is not in the text."""
    while True:
        boundary = f"-----{secrets.token_hex(16)}-----"
        if boundary not in text:
            return boundary


@cache
def _text(name: str, version: int) -> Template:
    file = files("pipeline.platform.ai") / "prompts" / f"{name}.{version}.md"
    return Template(file.read_text(encoding="utf-8"))
