"""What a model is asked to answer, by type, and what is made of it.

A schema goes with each request; what comes back is checked all the same, for models make
mistakes and contents talk them into some.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.platform.ai import results
from pipeline.platform.ai.options import (
    CategorizeOptions,
    NoteOptions,
    SummaryOptions,
    TranslateOptions,
)
from pipeline.platform.ai.results import Change, Confidence, Line, Mention, Result
from pipeline.platform.ai.tasks import Task

#: Words of JSON schema that not every API takes; the answer is held against them here.
_UNKNOWN_TO_SOME = frozenset(
    ("title", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern")
)
_NO_WORD = re.compile(r"[^a-z0-9]+")


class Wrong(Exception):
    """An answer that is not what was asked for; says which part, never what it holds."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Summary(_Answer):
    summary: Annotated[str, Field(min_length=1, max_length=20_000)]
    key_points: Annotated[list[Line], Field(max_length=results.MOST_KEY_POINTS)]
    confidence: Confidence


class _Translation(_Answer):
    translated: Annotated[str, Field(min_length=1, max_length=400_000)]
    detected_language: Annotated[str, Field(max_length=35)] | None


class _Suggestion(_Answer):
    category_id: str
    confidence: Confidence
    reasoning: Annotated[str, Field(max_length=1000)]


class _Categories(_Answer):
    suggestions: Annotated[list[_Suggestion], Field(max_length=results.MOST_SUGGESTIONS)]
    indicators: Annotated[list[Line], Field(max_length=results.MOST_INDICATORS)]


class _Change(_Answer):
    type: Annotated[str, Field(min_length=1, max_length=50)]
    count: Annotated[int, Field(ge=0, le=1_000_000)]


class _CleanNote(_Answer):
    cleaned_content: Annotated[str, Field(min_length=1, max_length=400_000)]
    changes: Annotated[list[_Change], Field(max_length=50)]


class _Mention(_Answer):
    kind: Literal["person", "organization", "topic"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    confidence: Confidence


class _Mentions(_Answer):
    mentions: Annotated[list[_Mention], Field(max_length=results.MOST_MENTIONS)]


class _Form(NamedTuple):
    """The form of an answer, and how it becomes a result."""

    answer: type[Any]
    made: Callable[[Task, Any], Result]


def _summary(task: Task, answer: _Summary) -> Result:
    assert isinstance(task.options, SummaryOptions)
    is_brief = task.options.style == "brief"
    return results.Summary(
        summary=answer.summary,
        style=task.options.style,
        word_count=len(answer.summary.split()),
        key_points=[] if is_brief else answer.key_points,
        confidence=answer.confidence,
    )


def _translation(task: Task, answer: _Translation) -> Result:
    assert isinstance(task.options, TranslateOptions)
    source = task.options.source_language
    return results.Translation(
        translated=answer.translated,
        source_language=source,
        target_language=task.options.target_language,
        detected_language=answer.detected_language if source == "auto" else None,
    )


def _categories(task: Task, answer: _Categories) -> Result:
    assert isinstance(task.options, CategorizeOptions)
    names = {category.id: category.name for category in task.options.offered}
    ids = [one.category_id for one in answer.suggestions]
    if not set(ids) <= names.keys():
        raise Wrong("it suggests a category that was not offered")
    if len(set(ids)) < len(ids):
        raise Wrong("it suggests a category twice")
    ranked = sorted(answer.suggestions, key=lambda one: -one.confidence)
    return results.Categories(
        suggestions=[
            results.Suggestion(
                category_id=one.category_id,
                name=names[one.category_id],
                confidence=one.confidence,
                reasoning=one.reasoning,
            )
            for one in ranked
        ],
        indicators=answer.indicators,
        top_suggestion=ranked[0].category_id if ranked else None,
    )


def _clean_note(task: Task, answer: _CleanNote) -> Result:
    assert isinstance(task.options, NoteOptions)
    counts: dict[str, int] = {}
    for one in answer.changes:
        name = _NO_WORD.sub("_", one.type.casefold()).strip("_")
        if one.count and name[:1].isalpha():
            counts[name] = counts.get(name, 0) + one.count
    return results.CleanNote(
        cleaned_content=answer.cleaned_content,
        style=task.options.style,
        changes=[Change(type=name, count=count) for name, count in counts.items()],
        original_length=len(task.content.text),
        cleaned_length=len(answer.cleaned_content),
    )


def _mentions(task: Task, answer: _Mentions) -> Result:
    """Whom the content does not name it does not mention; topics may go by other words."""
    text = task.content.text.casefold()
    found: dict[tuple[str, str], Mention] = {}
    for one in sorted(answer.mentions, key=lambda mention: -mention.confidence):
        name = " ".join(one.name.split())
        if name and (one.kind == "topic" or name.casefold() in text):
            mention = Mention(kind=one.kind, name=name, confidence=one.confidence)
            found.setdefault((one.kind, name.casefold()), mention)
    return results.Mentions(mentions=list(found.values()))


_FORMS = {
    "generate-summary": _Form(_Summary, _summary),
    "translate": _Form(_Translation, _translation),
    "categorize": _Form(_Categories, _categories),
    "note-cleanup": _Form(_CleanNote, _clean_note),
    "extract-mentions": _Form(_Mentions, _mentions),
}


def schema_of(type_name: str) -> dict[str, Any]:
    """Return the JSON schema of an answer, in what all APIs understand of it."""
    found: dict[str, Any] = _plain(_FORMS[type_name].answer.model_json_schema())
    return found


def read(task: Task, text: str) -> Result:
    """Return the result that a model's answer stands for.  Raises Wrong."""
    form = _FORMS[task.kind.name]
    try:
        return form.made(task, form.answer.model_validate_json(text))
    except ValidationError as error:
        [problem, *_] = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(str(part) for part in problem["loc"] if isinstance(part, int)) or ""
        raise Wrong(f"{problem['type']}{f' in entry {where}' if where else ''}") from None


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: _plain(value) for field, value in inner.items()}
        if name in ("properties", "$defs")
        else _plain(inner)
        for name, inner in schema.items()
        if name not in _UNKNOWN_TO_SOME
    }
