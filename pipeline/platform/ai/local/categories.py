"""Categories whose name and description mean about the same as the content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.platform.ai import results
from pipeline.platform.ai.entities import Content
from pipeline.platform.ai.local.embedding import vectors_of
from pipeline.platform.ai.local.sentences import words_of
from pipeline.platform.ai.options import CategorizeOptions, Category
from pipeline.platform.ai.results import Suggestion
from pipeline.platform.ai.tasks import Task

#: A category that is less alike than this is none.
_LEAST_ALIKE = 0.12
_MOST_WORDS = 300
_MOST_INDICATORS = 5
_SHORTEST_WORD = 4


def categorize(task: Task) -> results.Categories:
    """Return the categories that are most alike; confidence is how much."""
    assert isinstance(task.options, CategorizeOptions)
    found = ranked(task.content, task.options.offered)
    if not found:
        return results.Categories(suggestions=[], indicators=[], top_suggestion=None)
    indicators = _indicators(task.content, found[0][0])
    return results.Categories(
        suggestions=[
            Suggestion(
                category_id=category.id,
                name=category.name,
                confidence=alike,
                reasoning=_reasoning(indicators if number == 0 else []),
            )
            for number, (category, alike) in enumerate(found)
        ],
        indicators=indicators,
        top_suggestion=found[0][0].id,
    )


def ranked(content: Content, offered: Sequence[Category]) -> list[tuple[Category, float]]:
    """Return the categories that fit, with how alike they are, the best first."""
    # Who writes to whom says little of what it is about; a subject does.
    text = "\n".join([part.heading.partition("\n")[0] for part in content.parts] + [content.prose])
    [wanted, *categories] = vectors_of([text, *map(_described, offered)])
    alike = [max(0.0, min(1.0, round(float(wanted @ vector), 3))) for vector in categories]
    pairs = sorted(zip(offered, alike, strict=True), key=lambda pair: -pair[1])
    return [pair for pair in pairs if pair[1] >= _LEAST_ALIKE][: results.MOST_SUGGESTIONS]


def _described(category: Category) -> str:
    return f"{category.name}: {category.description}" if category.description else category.name


def _indicators(content: Content, category: Category) -> list[str]:
    """Return the words of the content that are most alike to a category."""
    counts = Counter(word for word in words_of(content.text) if len(word) >= _SHORTEST_WORD)
    words = [word for word, _ in counts.most_common(_MOST_WORDS) if not word.isdecimal()]
    if not words:
        return []
    [wanted, *vectors] = vectors_of([_described(category), *words])
    alike = sorted(
        ((float(wanted @ vector), word) for word, vector in zip(words, vectors, strict=True)),
        reverse=True,
    )
    return [word for score, word in alike[:_MOST_INDICATORS] if score >= _LEAST_ALIKE]


def _reasoning(indicators: Sequence[str]) -> str:
    if not indicators:
        return "the text as a whole is alike to its description"
    return f"words such as {', '.join(indicators)} are alike to its description"
