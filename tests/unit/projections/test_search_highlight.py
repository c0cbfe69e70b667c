"""What was found, as it is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.search.highlight import (
    SNIPPET_CHARACTERS,
    Segment,
    highlighted,
    snippet,
)
from pipeline.projections.search.words import words


def shown(segments: list[Segment]) -> str:
    return "".join(f"[{segment.text}]" if segment.hit else segment.text for segment in segments)


def test_words_are_marked_as_they_were_written() -> None:
    assert shown(highlighted("The Crème, a crème!", {"creme"})) == "The [Crème], a [crème]!"
    assert shown(highlighted("Straße", {"strasse"})) == "[Straße]"
    assert shown(highlighted("東京都", {"京"})) == "東[京]都"
    assert highlighted("", {"a"}) == []
    assert shown(highlighted("cat concat", {"cat"})) == "[cat] concat"


def test_a_short_text_is_its_own_snippet_on_one_line() -> None:
    assert shown(snippet("One\n\n  two  three", {"two"})) == "One [two] three"


def test_a_long_text_is_cut_around_what_was_found() -> None:
    text = "filler " * 100 + "the budget here " + "filler " * 100
    found = shown(snippet(text, {"budget"}))
    assert found.startswith("…filler ")
    assert found.endswith("filler…")
    assert "the [budget] here" in found


def test_the_part_with_most_of_the_words_is_chosen() -> None:
    text = "budget " + "filler " * 100 + "budget and review " + "filler " * 100
    assert "[budget] and [review]" in shown(snippet(text, {"budget", "review"}))


def test_a_text_without_the_words_begins_at_its_beginning() -> None:
    assert shown(snippet("word " * 200, {"nowhere"})).startswith("word word")


@given(st.text(max_size=400), st.sets(st.sampled_from(["a", "b", "the", "0"])))
def test_highlighting_changes_no_character(text: str, looked_for: set[str]) -> None:
    segments = highlighted(text, looked_for)
    assert "".join(segment.text for segment in segments) == text
    for segment in segments:
        assert segment.text
        found = [word.folded for word in words(segment.text)]
        assert not segment.hit or (len(found) == 1 and found[0] in looked_for)


@given(st.text(max_size=3000), st.sets(st.sampled_from(["a", "b", "the", "0"])))
def test_a_snippet_is_a_part_of_the_text(text: str, looked_for: set[str]) -> None:
    segments = snippet(text, looked_for)
    found = "".join(segment.text for segment in segments)
    line = " ".join(text.split())
    assert len(found) <= SNIPPET_CHARACTERS + 2
    assert found in line or found.removeprefix("…").removesuffix("…") in line
