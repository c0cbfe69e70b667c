"""What is made of a search that a person typed, and places in a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.search import TERMS, Query, Term, parsed
from pipeline.jobs.walking import Place

PLACES = st.builds(
    Place,
    st.sampled_from(["waiting", "delayed", "failed"]),
    st.integers(0, 5) | st.integers(0, 10**14),
    st.sampled_from(["a1", "b2", "c3"]),
)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("ada", Query((Term("", "ada"),))),
        ("user:ada job:sync", Query((Term("user", "ada"), Term("job", "sync")))),
        ("sync:google_gmail:ada", Query((Term("", "sync:google_gmail:ada"),))),
        ("id:sync:google_gmail:ada", Query((Term("id", "sync:google_gmail:ada"),))),
        ('error:"not found" x', Query((Term("error", "not found"), Term("", "x")))),
        ('"user:ada"', Query((Term("", "user:ada"),))),
        ("state:failed queue:graph", Query((), ("graph",), ("failed",))),
        ("state:failed state:delayed", Query((), (), ("failed", "delayed"))),
        ('user: "" user:""', Query((Term("", "user:"),))),
        ('he said "hi', Query((Term("", "he"), Term("", "said"), Term("", '"hi')))),
    ],
)
def test_terms_are_read(text: str, query: Query) -> None:
    assert parsed(text) == query


@given(st.text())
def test_anything_can_be_searched_for(text: str) -> None:
    for term in parsed(text).terms:
        assert term.name in ("", *TERMS)
        assert term.value


@given(
    st.sampled_from([name for name in TERMS if name not in ("queue", "state")]), st.text("ab:é ")
)
def test_a_quoted_value_is_read_as_it_is(name: str, value: str) -> None:
    expected = (Term(name, value),) if value else ()
    assert parsed(f'{name}:"{value}"').terms == expected


@given(PLACES, PLACES)
def test_of_two_places_one_comes_first(one: Place, other: Place) -> None:
    same = (one.delayed, one.score_ms, one.message_id) == (
        *(other.delayed, other.score_ms),
        other.message_id,
    )
    assert one.comes_after(other) + other.comes_after(one) == (not same)


@given(st.lists(PLACES, max_size=10))
def test_the_newest_comes_first_and_what_is_delayed_last(places: list[Place]) -> None:
    ordered = sorted(places)
    now = [place.score_ms for place in ordered if not place.delayed]
    later = [place.score_ms for place in ordered if place.delayed]
    assert [place.delayed for place in ordered] == [False] * len(now) + [True] * len(later)
    assert now == sorted(now, reverse=True)
    assert later == sorted(later)


@given(PLACES)
def test_a_place_is_read_as_it_was_written(place: Place) -> None:
    read = Place.parsed(str(place))
    assert not read.comes_after(place)
    assert not place.comes_after(read)


@pytest.mark.parametrize("text", ["", "1", "-", "1-", "x-1", "due-", "xdue-1-a", "9" * 16 + "-a"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        Place.parsed(text)
