"""What a model answers: read if it is what was asked for, refused in words that tell nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ai_tasks import task_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.platform.ai import answers
from pipeline.platform.ai.kinds import KINDS
from pipeline.platform.ai.results import Categories, CleanNote, Mentions, Summary, Translation

CATEGORIES = [{"id": "a", "name": "Apples"}, {"id": "b", "name": "Beans"}]


def suggestion(category_id: str, confidence: float = 0.5) -> dict[str, Any]:
    return {"category_id": category_id, "confidence": confidence, "reasoning": "it says so"}


def categories(*suggestions: dict[str, Any], **more: Any) -> str:
    return json.dumps({"suggestions": suggestions, "indicators": [], **more})


def read(type_name: str, answer: Any, text: str = "Ada met Bob at Acme.", **options: Any) -> Any:
    told = answer if isinstance(answer, str) else json.dumps(answer)
    return answers.read(task_of(type_name, text, **options), told)


def test_a_brief_summary_has_no_key_points_whatever_the_model_says() -> None:
    answer = {"summary": "They met.", "key_points": ["Bob"], "confidence": 0.7}
    expected = Summary(
        summary="They met.", style="brief", word_count=2, key_points=[], confidence=0.7
    )
    assert read("generate-summary", answer) == expected


def test_the_language_is_detected_only_where_it_was_not_given() -> None:
    answer = {"translated": "They met.", "detected_language": "de"}
    found: Translation = read("translate", answer)
    assert (found.source_language, found.detected_language) == ("auto", "de")
    assert read("translate", answer, source_language="de").detected_language is None


def test_suggestions_are_in_the_order_of_confidence_with_the_names_that_were_offered() -> None:
    answer = categories(suggestion("b", 0.2), suggestion("a", 0.9))
    found: Categories = read("categorize", answer, categories=CATEGORIES)
    assert [(one.category_id, one.name) for one in found.suggestions] == [
        ("a", "Apples"),
        ("b", "Beans"),
    ]
    assert found.top_suggestion == "a"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (categories(suggestion("c")), "not offered"),
        (categories(suggestion("a"), suggestion("a")), "twice"),
        (categories(*map(suggestion, "abab")), "too_long"),
        (categories(suggestion("a", 1.1)), "less_than_equal in entry 0"),
        (categories(suggestion("a"), top="a"), "extra_forbidden"),
        ('{"suggestions": []}', "missing"),
        ("not JSON", "json_invalid"),
        ("[]", "model_type"),
        ("", "json_invalid"),
    ],
)
def test_what_was_not_asked_for_is_no_answer(answer: str, why: str) -> None:
    with pytest.raises(answers.Wrong, match=why):
        read("categorize", answer, categories=CATEGORIES)


def test_nothing_may_fit() -> None:
    found: Categories = read("categorize", categories(), categories=CATEGORIES)
    assert (found.suggestions, found.top_suggestion) == ([], None)


def test_sorts_of_changes_are_counted_under_one_name() -> None:
    changes = [
        {"type": "Spelling", "count": 2},
        {"type": "spelling ", "count": 1},
        {"type": "Line breaks", "count": 1},
        {"type": "capitals", "count": 0},
    ]
    found: CleanNote = read("note-cleanup", {"cleaned_content": "Ada met.", "changes": changes})
    told = {one.type: one.count for one in found.changes}
    assert told == {"spelling": 3, "line_breaks": 1}


def test_whom_the_content_does_not_name_it_does_not_mention() -> None:
    mentions = [
        {"kind": "person", "name": "ada", "confidence": 0.4},
        {"kind": "person", "name": "Ada", "confidence": 0.9},
        {"kind": "person", "name": "Grace", "confidence": 1},
        {"kind": "organization", "name": "Acme", "confidence": 0.8},
        {"kind": "topic", "name": "meetings", "confidence": 0.5},
    ]
    found: Mentions = read("extract-mentions", {"mentions": mentions})
    assert [(one.kind, one.name) for one in found.mentions] == [
        ("person", "Ada"),
        ("organization", "Acme"),
        ("topic", "meetings"),
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=9,
)


@given(type_name=st.sampled_from(sorted(KINDS)), answer=_JSON.map(json.dumps) | st.text())
def test_whatever_a_model_says_is_read_or_wrong(type_name: str, answer: str) -> None:
    task = task_of(type_name, "Ada met Bob at Acme.")
    try:
        found = answers.read(task, answer)
    except answers.Wrong as wrong:
        # The reason never quotes the answer: it may quote the content.
        assert len(str(wrong)) < 80
    else:
        assert isinstance(found, task.kind.result)


@given(
    offered=st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    suggested=st.lists(st.sampled_from("abcdefgh"), max_size=5),
)
def test_a_category_that_was_not_offered_never_gets_through(
    offered: list[str], suggested: list[str]
) -> None:
    known = [{"id": name, "name": name} for name in offered]
    try:
        found = read("categorize", categories(*map(suggestion, suggested)), categories=known)
    except answers.Wrong:
        return
    assert {one.category_id for one in found.suggestions} <= set(offered)
    assert len(found.suggestions) <= 3


@pytest.mark.parametrize("type_name", sorted(KINDS))
def test_schemas_are_what_every_api_takes(type_name: str) -> None:
    def check(schema: Any) -> None:
        if isinstance(schema, list):
            for entry in schema:
                check(entry)
        if not isinstance(schema, dict):
            return
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert sorted(schema["required"]) == sorted(schema["properties"])
        assert not {"minLength", "maxItems", "pattern", "default"} & schema.keys()
        for name, inner in schema.items():
            for entry in inner.values() if name in ("properties", "$defs") else [inner]:
                check(entry)

    check(answers.schema_of(type_name))
