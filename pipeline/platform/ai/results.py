"""What a request to AI results in, by its type; nothing else is ever kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Confidence = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, Field(min_length=1, max_length=1000)]
MOST_KEY_POINTS = 5
MOST_SUGGESTIONS = 3
MOST_INDICATORS = 10
MOST_MENTIONS = 100


class Result(BaseModel):
    """What is kept of an answer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Summary(Result):
    """`key_points` only where it is comprehensive; `confidence` only where a model gave one."""

    summary: Annotated[str, Field(min_length=1, max_length=20_000)]
    style: Literal["brief", "comprehensive"]
    word_count: Annotated[int, Field(ge=0)]
    key_points: Annotated[list[Line], Field(max_length=MOST_KEY_POINTS)]
    confidence: Confidence | None


class Translation(Result):
    """`detected_language` where the source language was not given."""

    translated: Annotated[str, Field(min_length=1, max_length=400_000)]
    source_language: str
    target_language: str
    detected_language: Annotated[str, Field(max_length=35)] | None


class Suggestion(Result):
    """A category that fits; `category_id` is one of those that were offered."""

    category_id: str
    name: str
    confidence: Confidence
    reasoning: Annotated[str, Field(max_length=1000)]


class Categories(Result):
    """Up to three suggestions, the best first; none if nothing fits.

    `indicators` are words of the content that speak for the first one.
    """

    suggestions: Annotated[list[Suggestion], Field(max_length=MOST_SUGGESTIONS)]
    indicators: Annotated[list[Line], Field(max_length=MOST_INDICATORS)]
    top_suggestion: str | None


class Change(Result):
    """A sort of change that was made to a note, and how often."""

    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
    count: Annotated[int, Field(ge=1)]


class CleanNote(Result):
    """A note as it reads now; lengths are in characters."""

    cleaned_content: Annotated[str, Field(min_length=1, max_length=400_000)]
    style: Literal["light", "full"]
    changes: Annotated[list[Change], Field(max_length=50)]
    original_length: Annotated[int, Field(ge=0)]
    cleaned_length: Annotated[int, Field(ge=0)]


class Mention(Result):
    """Somebody or something that the content speaks of."""

    kind: Literal["person", "organization", "topic"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    confidence: Confidence


class Mentions(Result):
    """All mentions, each once, the surest first."""

    mentions: Annotated[list[Mention], Field(max_length=MOST_MENTIONS)]
