"""What a person sees of the arguments of a job."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import queues
from pipeline.jobs.entries import Entry, parse
from pipeline.jobs.redaction import arguments_of, masked
from pipeline.queues import EMAIL, Job


@pytest.fixture(autouse=True)
def a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("write", EMAIL, ("user_id", "source", "subject", "copies", "urgent"))
    monkeypatch.setitem(queues.JOBS, "write", job)


def entry(*arguments: object) -> Entry:
    return parse("1", {"job": b"write", "args": json.dumps(arguments).encode()}, None)


def test_ids_and_sources_are_shown_and_of_the_rest_only_the_size() -> None:
    assert arguments_of(entry("ada", "google_gmail", "Our secret", 3, True)) == {
        "user_id": "ada",
        "source": "google_gmail",
        "subject": "(10 characters)",
        "copies": "(a number)",
        "urgent": True,
    }


def test_an_address_is_masked_even_in_an_id() -> None:
    shown = arguments_of(entry("ada.lovelace@example.com", "google_gmail", "x", 1, False))
    assert shown["user_id"] == "a…@…"


def test_all_is_shown_to_who_asks_for_it() -> None:
    values = ("ada@example.com", "google_gmail", "Our secret", 3, None)
    assert tuple(arguments_of(entry(*values), reveal=True).values()) == values


def test_arguments_of_another_release_are_hidden_and_counted() -> None:
    shown = arguments_of(entry("ada", "Our secret"))
    assert shown == {"argument 1": "(3 characters)", "argument 2": "(10 characters)"}


def test_arguments_that_cannot_be_read_are_none() -> None:
    assert arguments_of(parse("1", {"job": b"write", "args": b"?"}, None)) == {}


@given(st.emails(), st.text(), st.text())
def test_no_address_is_left_in_a_masked_text(address: str, before: str, after: str) -> None:
    assert address not in masked(f"{before} {address} {after}")


@pytest.mark.parametrize("text", ["sync:google_gmail:ada", "@", "a@", "@b", "", "2 @ 3"])
def test_what_is_no_address_is_left_alone(text: str) -> None:
    assert masked(text) == text
