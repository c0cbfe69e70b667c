"""What was found, as it was written: parts of a text, of which some were looked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from pipeline.projections.search.words import Word, words

SNIPPET_CHARACTERS = 240
_ELLIPSIS = "…"
#: The best of so many is good enough.
_MOST_HITS = 200


class Segment(NamedTuple):
    """A part of a text; `hit`: it was looked for."""

    text: str
    hit: bool


def highlighted(text: str, folded: Collection[str]) -> list[Segment]:
    """Return `text` whole, in segments; `folded` are the words that were looked for."""
    return _segments(text, [word for word in words(text) if word.folded in folded], 0, len(text))


def snippet(text: str, folded: Collection[str]) -> list[Segment]:
    """Return the part of `text` that has most of the words, in segments, on one line."""
    text = " ".join(text.split())
    hits = [word for word in words(text) if word.folded in folded]
    start, end = _window(text, hits)
    segments = _segments(text, hits, start, end)
    if start:
        segments.insert(0, Segment(_ELLIPSIS, hit=False))
    if end < len(text):
        segments.append(Segment(_ELLIPSIS, hit=False))
    return segments


def _window(text: str, hits: list[Word]) -> tuple[int, int]:
    """Return where the part begins and ends: at a space, if one is near."""
    if len(text) <= SNIPPET_CHARACTERS:
        return 0, len(text)
    few = hits[:_MOST_HITS]
    best = max(few, key=lambda hit: (_worth(few, hit), -hit.start)).start if few else 0
    # A little of what comes before makes it readable.
    start = min(max(0, best - SNIPPET_CHARACTERS // 5), len(text) - SNIPPET_CHARACTERS)
    if start and (space := text.find(" ", start, best)) >= 0:
        start = space + 1
    end = min(len(text), start + SNIPPET_CHARACTERS)
    if end < len(text) and (space := text.rfind(" ", start + SNIPPET_CHARACTERS // 2, end)) > 0:
        end = space
    return start, end


def _worth(hits: list[Word], first: Word) -> int:
    """Return how many different words there are within reach of a hit."""
    reach = first.start + SNIPPET_CHARACTERS * 4 // 5
    return len({hit.folded for hit in hits if first.start <= hit.start and hit.end <= reach})


def _segments(text: str, hits: list[Word], start: int, end: int) -> list[Segment]:
    segments: list[Segment] = []
    at = start
    for hit in hits:
        if hit.start < at or hit.end > end:
            continue
        if hit.start > at:
            segments.append(Segment(text[at : hit.start], hit=False))
        segments.append(Segment(text[hit.start : hit.end], hit=True))
        at = hit.end
    if at < end:
        segments.append(Segment(text[at:end], hit=False))
    return segments
