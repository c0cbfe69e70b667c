"""A summary of the sentences that are most like all others (LexRank).

Erkan, Radev: LexRank: Graph-based Lexical Centrality as Salience in Text Summarization.
https://arxiv.org/abs/1109.2128
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.platform.ai import results
from pipeline.platform.ai.local.sentences import Tokenizer, sentences_of
from pipeline.platform.ai.options import SummaryOptions
from pipeline.platform.ai.tasks import Task

_SENTENCES = {"brief": 2, "comprehensive": 8}
#: Each sentence is held against each other: of more than these the best of each part are.
_AT_ONCE = 150
_KEPT = 15
_KEY_POINT_CHARACTERS = 300


def summarize(task: Task) -> results.Summary:
    """Return the best sentences of the content, in their order; key points are the very best."""
    assert isinstance(task.options, SummaryOptions)
    style = task.options.style
    # Quotes in threads repeat what was said before.
    found = list(dict.fromkeys(sentences_of(task.content.prose or task.content.text)))
    chosen = best(found, _SENTENCES[style])
    points = best(chosen, results.MOST_KEY_POINTS) if style == "comprehensive" else []
    text = " ".join(chosen) or task.content.text.strip()[:_KEY_POINT_CHARACTERS]
    return results.Summary(
        summary=text,
        style=style,
        word_count=len(text.split()),
        key_points=[point[:_KEY_POINT_CHARACTERS] for point in points],
        confidence=None,
    )


def best(sentences: Sequence[str], most: int) -> list[str]:
    """Return the sentences that say most, at most so many, in their order."""
    left = list(sentences)
    while len(left) > _AT_ONCE:
        parts = [left[start : start + _AT_ONCE] for start in range(0, len(left), _AT_ONCE)]
        left = [sentence for part in parts for sentence in _best(part, _KEPT)]
    return _best(left, most)


def _best(sentences: Sequence[str], most: int) -> list[str]:
    if len(sentences) <= most:
        return list(sentences)
    import numpy
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.summarizers.lex_rank import LexRankSummarizer

    tokenizer = Tokenizer()
    nodes = [Sentence(sentence, tokenizer) for sentence in sentences]
    document = ObjectDocumentModel([Paragraph(nodes)])
    with numpy.errstate(all="ignore"):  # of sentences that have nothing in common
        return [str(sentence) for sentence in LexRankSummarizer()(document, most)]
