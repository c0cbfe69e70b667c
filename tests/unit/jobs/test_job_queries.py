"""Queries that people type: what they mean, or what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.queries import WrongQuery, checked
from pipeline.jobs.search import TERMS, Term, parsed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("usr:ada", "did you mean user:?"),
        ("erorr:Transient", "did you mean error:?"),
        ("user:", "user: needs a value"),
        ('user:""', "user: needs a value"),
        ("user: ada", "user: needs a value"),
        ('"two words', "no partner"),
        ("state:don", "there is no state 'don'"),
        ("queue:grap", "did you mean 'graph'?"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, problem: str) -> None:
    with pytest.raises(WrongQuery, match=r".") as caught:
        checked(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "sync:google_gmail:ada",
        "advance_graph:ada",
        '"usr:ada"',
        'user:"ada lovelace" error:down',
        "state:failed state:delayed queue:graph",
        "https://example.com",
    ],
)
def test_what_makes_sense_is_what_it_was(text: str) -> None:
    assert checked(text) == parsed(text)


def test_an_actor_is_a_job() -> None:
    assert checked("actor:sync").terms == (Term("actor", "sync"),)
    assert "actor" in TERMS


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_said_to_be_wrong(text: str) -> None:
    try:
        assert checked(text) == parsed(text)
    except WrongQuery as problem:
        assert str(problem)
