"""What is typed into a search box, and the words of texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.projections.search.query import MOST_CHARACTERS, MOST_WORDS, Wanted, parse
from pipeline.projections.search.words import fold, line_of, words
from pipeline.refusals import Refused


@pytest.mark.parametrize(
    ("text", "required", "excluded"),
    [
        ("budget", [("budget",)], []),
        ("  Budget   REVIEW ", [("budget",), ("review",)], []),
        ("budget budget", [("budget",)], []),
        ('"budget review" today', [("budget", "review"), ("today",)], []),
        ("budget -draft", [("budget",)], [("draft",)]),
        ('budget -"first draft"', [("budget",)], [("first", "draft")]),
        ("mid-week", [("mid", "week")], []),
        ("a - b", [("a",), ("b",)], []),
        ("ada@x.de", [("ada", "x", "de")], []),
        ('an "open phrase', [("an",), ("open", "phrase")], []),
        ('one"two"three', [("one",), ("two",), ("three",)], []),
        ("Ångström naïve", [("angstrom",), ("naive",)], []),
        ("東京 会議", [("東", "京"), ("会", "議")], []),
        ("snake_case", [("snake", "case")], []),
        ("C++ & you", [("c",), ("you",)], []),
    ],
)
def test_words_phrases_and_exclusions(
    text: str, required: list[tuple[str, ...]], excluded: list[tuple[str, ...]]
) -> None:
    assert parse(text) == Wanted(tuple(required), tuple(excluded))


@pytest.mark.parametrize("text", ["", "   ", '""', "-", "-draft", "+ & |", '-"a b" -c', "\u0301"])
def test_what_names_nothing_to_look_for_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="q: expected a word") as refused:
        parse(text)
    assert refused.value.field == "q"


def test_what_is_too_much_is_refused() -> None:
    assert parse("x" * MOST_CHARACTERS).required
    with pytest.raises(Refused, match="at most 200 characters"):
        parse("x" * (MOST_CHARACTERS + 1))
    parse(" ".join(f"w{n}" for n in range(MOST_WORDS)))
    with pytest.raises(Refused, match="at most 20 words"):
        parse(" ".join(f"w{n}" for n in range(MOST_WORDS + 1)))


@given(st.text(max_size=MOST_CHARACTERS))
def test_whatever_is_typed_is_understood_or_refused(text: str) -> None:
    try:
        wanted = parse(text)
    except Refused:
        return
    assert wanted.required
    for term in wanted.required + wanted.excluded:
        assert term
        assert all(word and fold(word) == word for word in term)
    assert wanted.folded == {word for term in wanted.required for word in term}


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    for word in words(text):
        assert fold(word.folded) == word.folded
        assert word.folded.isalnum()
        assert 0 <= word.start < word.end <= len(text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_line_has_each_word_with_spaces_around(one: str, other: str) -> None:
    line = line_of(one, other)
    found = re.findall(r"(?<= )[^ |]+(?= )", line)
    assert found == [word.folded for text in (one, other) for word in words(text)]


@given(st.text(alphabet=st.characters(categories=["L", "Nd"]), min_size=1, max_size=40))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    assume(list(words(text)))
    [term] = parse(f'"{text}"').required
    assert f" {' '.join(term)} " in line_of("before", text, "after")


@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_plain_texts_have_the_same_words_on_the_quick_path(text: str) -> None:
    assert line_of(text).split() == [word.folded for word in words(text)]


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_case_makes_no_difference_to_words(text: str) -> None:
    assert line_of(text.upper()) == line_of(text.lower())
