"""Words as search knows them: folded, so that case and diacritics do not count.

Both what is indexed and what is looked for is cut into words here, so that every search store
finds the same.  Scripts without spaces between words are cut into their characters, which a
search looks for in a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import combining, normalize

#: Ideographs, kana, Thai, Lao, Khmer and Burmese are written without spaces.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
#: Longer ones are cut: nobody looks for them, and stores refuse terms that are too long.
_WORD_CHARACTERS = 100


class Word(NamedTuple):
    """A folded word, and where it stands in the text."""

    folded: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of a text in their order."""
    for found in _WORD.finditer(text):
        if folded := fold(found.group()):
            yield Word(folded, found.start(), found.end())


def fold(word: str) -> str:
    """Return a word as it is compared: no capitals, no marks, digits and letters as usual."""
    if word.isascii():  # most are, and it takes a tenth of the time
        return "".join(filter(str.isalnum, word.lower()))[:_WORD_CHARACTERS]
    apart = normalize("NFKD", word.casefold())
    bare = "".join(mark for mark in apart if not combining(mark))
    # What folding turns into more than letters and digits, such as fractions, is left out.
    return "".join(filter(str.isalnum, bare.casefold()))[:_WORD_CHARACTERS]


def line_of(*texts: str) -> str:
    """Return the folded words of texts, with a space around each, for stores to index.

    Between two texts stands a bar, so that no phrase reaches from one into the next.
    """
    parts = [" ".join(_folded(text)) for text in texts]
    return f" {' | '.join(part for part in parts if part)} "


def _folded(text: str) -> Iterator[str]:
    """Yield the folded words of a text; of plain ones, such as most are, much faster."""
    if text.isascii():
        for word in _ASCII_WORD.findall(text.lower()):
            yield word[:_WORD_CHARACTERS]
    else:
        for found in words(text):
            yield found.folded
