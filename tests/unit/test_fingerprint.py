"""Fingerprints: failures of one cause are told as one, others apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letters.fingerprint import fingerprint, normalized, places
from pipeline.errors import Transient
from pipeline.jobs.failure import frames

USER_IDS = st.from_regex(r"\A[a-z]{2,12}(-[0-9]{1,6})?\Z").filter(lambda name: name != "calendar")
VARYING = st.one_of(
    st.integers(0, 10**12).map(str),
    st.uuids().map(str),
    st.binary(min_size=8, max_size=20).map(bytes.hex),
    st.from_regex(r"\A'[^'\n]{0,30}'\Z"),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.emails(),
)


def trace(root: str = "/srv/headrace", line: int = 10, function: str = "land") -> str:
    """Return a traceback as jobs/failure.py writes it."""
    calls = (
        (f"{root}/actors/data_sync.py", 20, "sync"),
        (f"{root}/pipeline/sync/engine.py", line, function),
        ("/usr/lib/python3.11/json/decoder.py", line * 2, "decode"),
    )
    text = "\n".join(f"  {file}:{at} in {name}\n    {name}(...)" for file, at, name in calls)
    return f"{text}\nTransient"


@given(VARYING, VARYING)
def test_what_varies_in_a_message_makes_no_difference(one: str, other: str) -> None:
    first, second = (
        fingerprint("sync", "Transient", "attempts_spent", message=f"page {value} of the calendar")
        for value in (one, other)
    )
    assert first == second


@given(USER_IDS, USER_IDS)
def test_the_jobs_own_arguments_make_no_difference(one: str, other: str) -> None:
    first, second = (
        fingerprint(
            "sync", "Permanent", "permanent", message=f"{user} has no calendar", values=[user]
        )
        for user in (one, other)
    )
    assert first == second


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_line_numbers_and_installations_make_no_difference(one: int, other: int) -> None:
    first = fingerprint("sync", "Transient", "attempts_spent", traceback=trace(line=one))
    elsewhere = trace(root="/opt/venv/lib/python3.12/site-packages", line=other)
    assert first == fingerprint("sync", "Transient", "attempts_spent", traceback=elsewhere)


@given(VARYING, VARYING)
def test_with_a_traceback_the_message_makes_no_difference(one: str, other: str) -> None:
    first, second = (
        fingerprint("sync", "Transient", "permanent", traceback=trace(), message=f"no {value}!")
        for value in (one, other)
    )
    assert first == second


CAUSES = st.tuples(
    st.sampled_from(["sync", "advance_graph"]),
    st.sampled_from(["Transient", "Permanent", "KeyError"]),
    st.sampled_from(["attempts_spent", "permanent", "killed_worker"]),
    st.sampled_from(["", trace(), trace(function="sweep")]),
)


@given(CAUSES, CAUSES)
def test_another_job_class_reason_or_place_is_another_cause(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    first, second = (
        fingerprint(job, kind, reason, traceback=traceback)
        for job, kind, reason, traceback in (one, other)
    )
    assert (first == second) == (one == other)


@given(st.text(max_size=200), st.lists(st.text(max_size=8), max_size=3))
def test_a_normalized_message_stays_as_it_is(message: str, values: list[str]) -> None:
    once = normalized(message, values)
    assert normalized(once) == once


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("provider answers 503", "provider answers ?"),
        ("provider answers 404", "provider answers ?"),
        ("calendar 'work' of 3 users", "calendar ? of ? users"),
        ("doesn't know the user's plan", "doesn't know the user's plan"),
        ("no index on https://host/a?b=c here", "no index on ? here"),
        ("items 1, 2, 3", "items ?"),
    ],
)
def test_numbers_and_quoted_values_are_left_out(message: str, cause: str) -> None:
    assert normalized(message) == cause


def test_the_place_is_in_our_code_where_a_library_raises() -> None:
    assert places(trace()) == ["pipeline/sync/engine.py:land", "actors/data_sync.py:sync"]


def test_of_errors_that_led_to_one_another_the_last_tells_the_place() -> None:
    text = f"{trace(function='inner')}\ncaused {trace(function='outer')}"
    assert places(text)[0] == "pipeline/sync/engine.py:outer"


def test_a_traceback_as_jobs_keep_it_can_be_read() -> None:
    try:
        raise Transient("no answer")
    except Transient as error:
        text = frames(error)
    # This test is no part of the product: its frames stand in for ours.
    assert places(text) == ["test_fingerprint.py:test_a_traceback_as_jobs_keep_it_can_be_read"]
