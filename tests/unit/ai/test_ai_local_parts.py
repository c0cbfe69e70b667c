"""Sentences, summaries and cleaned notes, of whatever text."""

from __future__ import annotations

import time

import pytest
from ai_tasks import task_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.platform.ai.local import cleanup, summary
from pipeline.platform.ai.local.sentences import sentences_of


def test_a_full_stop_after_an_abbreviation_ends_no_sentence() -> None:
    text = "Dr. Smith met Mr. Jones, e.g. at 3.30 p.m. sharp. Das ist z.B. gut! Is it?"
    assert sentences_of(text) == [
        "Dr. Smith met Mr. Jones, e.g. at 3.30 p.m. sharp.",
        "Das ist z.B. gut!",
        "Is it?",
    ]


def test_entries_of_a_list_are_sentences_of_their_own() -> None:
    assert sentences_of("To do:\n- buy milk\n- call Bob\n\nBye") == [
        "To do:",
        "- buy milk",
        "- call Bob",
        "Bye",
    ]


@given(text=st.text(min_size=1).filter(str.strip))
def test_any_text_can_be_summarized(text: str) -> None:
    found = summary.summarize(task_of("generate-summary", text, style="comprehensive"))
    assert found.summary
    assert len(found.key_points) <= 5


def test_a_long_text_is_summarized_in_seconds() -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    lines = [
        f"Line {n} is about {words[n % 8]} and {words[n * 3 % 8]} of {n}." for n in range(2500)
    ]
    text = " ".join(lines)[:100_000]
    began = time.monotonic()
    found = summary.summarize(task_of("generate-summary", text))
    assert time.monotonic() - began < 30
    assert all(part in text for part in sentences_of(found.summary))


@pytest.mark.parametrize(
    "text",
    [
        " " * 99_999 + "x",
        "\n \n" * 16_000 + "x",
        *(part * 25_000 for part in ("..", "a.", "! ", "xx", "- ", "a@", "((")),
    ],
)
def test_no_text_holds_a_worker_up(text: str) -> None:
    began = time.monotonic()
    summary.summarize(task_of("generate-summary", text, style="comprehensive"))
    cleanup.clean(task_of("note-cleanup", text, style="full"))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("note", "light"),
    [
        ("too   many  spaces", "too many spaces"),
        ("what??!! no", "what?! no"),
        ("one , two,three", "one, two, three"),
        ("1,000 stays; so does 3.5", "1,000 stays; so does 3.5"),
        ("a\r\nb  \n\n\n\nc", "a\nb\n\nc"),
        ("* one\n• two", "- one\n- two"),
        ("cafÃ© â€” ok", "café — ok"),
        ("it’s “fine”", "it’s “fine”"),
        ("https://x.example/a?b=1,2&c", "https://x.example/a?b=1,2&c"),
    ],
)
def test_light_cleaning_mends_what_is_broken(note: str, light: str) -> None:
    assert cleanup.clean(task_of("note-cleanup", note)).cleaned_content == light


def test_full_cleaning_writes_whole_sentences() -> None:
    note = "spoke w/ Ann. she agrees\n\nFYI: pls send it asap"
    found = cleanup.clean(task_of("note-cleanup", note, style="full"))
    assert found.cleaned_content == (
        "Spoke with Ann. She agrees.\n\nFor your information: please send it as soon as possible."
    )
    assert {one.type: one.count for one in found.changes} == {
        "abbreviations": 4,
        "capitals": 2,
        "full_stops": 2,
    }


@given(note=st.text(min_size=1).filter(str.strip), style=st.sampled_from(["light", "full"]))
def test_what_was_cleaned_is_clean(note: str, style: str) -> None:
    first = cleanup.clean(task_of("note-cleanup", note, style=style))
    assert first.cleaned_content
    again = cleanup.clean(task_of("note-cleanup", first.cleaned_content, style=style))
    assert again.cleaned_content == first.cleaned_content


@given(note=st.text(alphabet="abc ABC\n123", min_size=1).filter(str.strip))
def test_light_cleaning_loses_no_letter(note: str) -> None:
    found = cleanup.clean(task_of("note-cleanup", note)).cleaned_content
    assert "".join(found.split()) == "".join(note.split())
