"""What the model says when nobody told it what to: the same for the same question."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_FENCE = re.compile(
    r"^(?P<line>-{3,}\w+-{3,})\n(?P<text>.*)\n(?P=line)\s*$", re.DOTALL | re.MULTILINE
)
_OPTIONS = re.compile(r"^Options: (\{.*\})$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")
_NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b")
_LETTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Question:
    """What the model is asked: about a text, under options, where there are any."""

    text: str
    options: dict[str, Any]


def question_of(messages: list[dict[str, Any]]) -> Question:
    """Read the last message: the part between two equal lines, or all of it."""
    said = str(messages[-1].get("content") or "")
    fenced, options = _FENCE.search(said), _OPTIONS.search(said)
    try:
        given = json.loads(options[1]) if options else {}
    except ValueError:
        given = {}
    return Question(fenced["text"] if fenced else said, given)


def tokens_of(text: str) -> int:
    """Count tokens, about as a real model would."""
    return math.ceil(len(text) / _LETTERS_PER_TOKEN)


def usual_answer(schema_name: str, question: Question) -> str:
    """Return what the model says, as JSON if a schema that it knows was asked for."""
    answer = _ANSWERS.get(schema_name)
    if answer is None:
        return _sentences(question)[0]
    return json.dumps(answer(question), ensure_ascii=False)


def _sentences(question: Question) -> list[str]:
    found = [part.strip() for part in _SENTENCE.findall(question.text)]
    return [part for part in found if part] or ["Nothing."]


def _summary(question: Question) -> dict[str, Any]:
    points = [one[:200] for one in _sentences(question)[:3]]
    return {"summary": " ".join(points), "key_points": points, "confidence": 0.8}


def _translation(question: Question) -> dict[str, Any]:
    """Who only wants to see that it was translated needs no dictionary."""
    target = question.options.get("target_language", "en")
    return {"translated": f"[{target}] {question.text}", "detected_language": "en"}


def _categories(question: Question) -> dict[str, Any]:
    words = set(_words(question.text))
    ranked = []
    for one in question.options.get("categories", ()):
        hits = words & set(_words(f"{one.get('name', '')} {one.get('description', '')}"))
        ranked.append((len(hits), one["id"], sorted(hits)))
    best = sorted((one for one in ranked if one[0]), key=lambda one: (-one[0], one[1]))[:3]
    suggestions = [
        {"category_id": name, "confidence": round(hits / (hits + 1), 2), "reasoning": "By words."}
        for hits, name, _ in best
    ]
    return {"suggestions": suggestions, "indicators": best[0][2][:10] if best else []}


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _note(question: Question) -> dict[str, Any]:
    clean = "\n".join(" ".join(line.split()) for line in question.text.splitlines()) or "Nothing."
    changes = [] if clean == question.text else [{"type": "whitespace", "count": 1}]
    return {"cleaned_content": clean, "changes": changes}


def _mentions(question: Question) -> dict[str, Any]:
    names = list(dict.fromkeys(_NAME.findall(question.text)))[:20]
    found = [{"kind": "person", "name": name, "confidence": 0.7} for name in names]
    return {"mentions": found}


_ANSWERS: dict[str, Callable[[Question], dict[str, Any]]] = {
    "generate_summary": _summary,
    "translate": _translation,
    "categorize": _categories,
    "note_cleanup": _note,
    "extract_mentions": _mentions,
}
