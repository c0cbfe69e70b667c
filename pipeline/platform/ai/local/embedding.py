"""Texts as vectors, by a model that comes with its package: nothing is downloaded.

https://github.com/dleemiller/WordLlama
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What comes after it says the same again.
_MOST_CHARACTERS = 20_000


def vectors_of(texts: Sequence[str]) -> NDArray[Any]:
    """Return one vector of length 1 per text, as rows; that of a text without words is 0."""
    import numpy

    found = _model().embed([text[:_MOST_CHARACTERS] for text in texts])
    lengths = numpy.linalg.norm(found, axis=1, keepdims=True)
    vectors: NDArray[Any] = numpy.divide(found, lengths, where=lengths > 0, out=found * 0)
    return vectors


@cache
def _model() -> Any:
    """Return the model, which takes a second to load."""
    import wordllama

    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
