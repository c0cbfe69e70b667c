"""A text as sentences and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

#: After these a full stop ends no sentence: English, German, French, Spanish.
_ABBREVIATIONS = (
    "approx a.m ca co corp dept dr e.g est etc fig i.e inc jr ltd max min mr mrs ms no nr p.m prof "
    "sr st tel vol vs abs bzgl bzw d.h evtl ggf inkl ing o.ä s.o str u.a usw vgl z.b zzgl "
    "av bd env mlle mme p.ex art avda pág ud uds"
)
#: What an entry of a list begins with.
_ENTRY = re.compile(r"(?:[-*•–·]|\d{1,3}[.)]) ")
_WORD = re.compile(r"\w+")
#: A longer one is no sentence, but a table or a list: it is cut.
LONGEST_SENTENCE = 1000


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, each on one line, without what has no word."""
    found = []
    for paragraph in _paragraphs(text):
        for sentence in _punkt().tokenize(paragraph):
            line = str(sentence)[:LONGEST_SENTENCE]
            if _WORD.search(line):
                found.append(line)
    return found


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs, each on one line; entries of lists are some."""
    lines: list[str] = []
    for line in (" ".join(line.split()) for line in text.splitlines()):
        if lines and (not line or _ENTRY.match(line)):
            yield " ".join(lines)
            lines = []
        if line:
            lines.append(line)
    if lines:
        yield " ".join(lines)


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return _WORD.findall(text.casefold())


class Tokenizer:
    """Words of sentences, as the summarizer wants them."""

    def to_words(self, sentence: str) -> Iterable[str]:
        """Return the words of a sentence."""
        return words_of(sentence)


@cache
def _punkt() -> PunktSentenceTokenizer:
    """Return the tokenizer without trained data, which would have to be downloaded."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    known = PunktParameters()
    known.abbrev_types = set(_ABBREVIATIONS.split())
    return PunktSentenceTokenizer(known)
