"""What may be said of a request: all that is not known is refused, with its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ai import AI_TYPES
from pipeline.platform.ai.kinds import KINDS, kind_named
from pipeline.platform.ai.options import CategorizeOptions, parse
from pipeline.refusals import Refused


def test_a_type_that_there_is_not_is_refused_with_what_may_have_been_meant() -> None:
    with pytest.raises(Refused, match="did you mean 'translate'") as caught:
        kind_named("translat")
    assert caught.value.field == "type"


@pytest.mark.parametrize(
    ("type_name", "options", "field", "why"),
    [
        ("generate-summary", {"style": "long"}, "options.style", "'brief' or 'comprehensive'"),
        ("generate-summary", {"styl": "brief"}, "options.styl", "no such option"),
        ("generate-summary", {"context": "x" * 2001}, "options.context", "at most 2000"),
        ("translate", {"target_language": "German!"}, "options.target_language", "pattern"),
        ("translate", {"source_language": ""}, "options.source_language", "pattern"),
        ("categorize", {"categories": []}, "options.categories", "at least 1 item"),
        ("categorize", {"categories": [{"id": "a"}]}, "options.categories.0.name", "required"),
        (
            "categorize",
            {"categories": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}]},
            "options.categories",
            "two categories have the same id",
        ),
        ("note-cleanup", {"style": 7}, "options.style", "'light' or 'full'"),
        ("extract-mentions", {"style": "light"}, "options.style", "there are: none"),
    ],
)
def test_a_wrong_option_is_named_by_its_path(
    type_name: str, options: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(Refused, match=why) as caught:
        parse(KINDS[type_name].options, options)
    assert caught.value.field == field


def test_what_is_stored_may_be_of_every_type() -> None:
    assert tuple(KINDS) == AI_TYPES


def test_what_is_left_out_is_as_if_the_usual_had_been_said() -> None:
    summary = KINDS["generate-summary"].options
    assert parse(summary, None) == parse(summary, {"style": "brief"})


def test_without_categories_our_own_are_offered() -> None:
    options = parse(CategorizeOptions, {})
    assert isinstance(options, CategorizeOptions)
    assert "finance" in {category.id for category in options.offered}


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    type_name=st.sampled_from(sorted(KINDS)),
    options=st.dictionaries(
        st.sampled_from(["style", "context", "categories", "target_language"])
        | st.text(max_size=9),
        _ANYTHING,
        max_size=3,
    ),
)
def test_options_are_taken_or_refused_and_nothing_else(
    type_name: str, options: dict[str, Any]
) -> None:
    model = KINDS[type_name].options
    try:
        found = parse(model, options)
    except Refused as refusal:
        assert refusal.field.startswith("options")
    else:
        # What is stored is taken again, as the same.
        assert parse(model, found.model_dump(mode="json")) == found
