"""What history makes of a job's hash, whatever is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.entries import LISTED, Failure, Progress, parse, printable

PAST = ("number", "started_at", "run_ms", "worker", "why", "error", "traceback", "died")
FIELDS = st.dictionaries(st.sampled_from([*LISTED, "past"]), st.binary(max_size=40))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(FIELDS, st.none() | st.floats())
def test_any_bytes_in_any_field_can_be_read(fields: dict[str, bytes], score: float | None) -> None:
    assert parse("1", fields, score).message_id == "1"


@given(st.sampled_from(["args", "error", "progress", "past"]), JSON)
def test_any_json_in_a_field_can_be_read(field: str, value: object) -> None:
    parse("1", {field: json.dumps(value).encode()}, None)


@given(st.lists(st.dictionaries(st.sampled_from(PAST), JSON), max_size=3))
def test_attempts_of_any_shape_can_be_read(rows: list[dict[str, object]]) -> None:
    assert len(parse("1", {"past": json.dumps(rows).encode()}, None).past) == len(rows)


@pytest.mark.parametrize("field", ["args", "error", "progress", "past"])
def test_json_that_is_nested_too_deep_can_be_read(field: str) -> None:
    parse("1", {field: b"[" * 60_000}, None)


def test_a_job_without_any_field_is_empty() -> None:
    entry = parse("1", {}, None)
    assert (entry.job_id, entry.attempts, entry.enqueued_at, entry.failure) == ("", 0, None, None)
    assert entry.arguments == ()
    assert not entry.alive


def test_arguments_that_cannot_be_read_are_told_from_none_at_all() -> None:
    assert parse("1", {"args": b"{not json"}, None).arguments is None
    assert parse("1", {"args": b'{"a": 1}'}, None).arguments is None


def test_the_place_of_a_delayed_job_is_when_it_is_due_and_that_of_others_since_when() -> None:
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    score = noon.timestamp() * 1000
    delayed, waiting = (parse("1", {"state": s}, score) for s in (b"delayed", b"waiting"))
    assert (delayed.due_at, delayed.since) == (noon, None)
    assert (waiting.due_at, waiting.since) == (None, noon)


def test_an_error_progress_and_scopes_are_read() -> None:
    error = {"class": "Transient", "message": "down", "reason": "attempts_spent"}
    fields = {
        "error": json.dumps(error).encode(),
        "progress": b'{"fraction": 0.4, "text": "page 3"}',
        "lane": b"tenant:acme\nuser:a:b\nsource:google_gmail",
    }
    entry = parse("1", fields, None)
    assert entry.failure == Failure("Transient", "down", "attempts_spent")
    assert entry.progress == Progress(0.4, "page 3")
    assert (entry.scope("user"), entry.scope("mailbox")) == ("a:b", "")


@given(st.text())
def test_what_is_shown_obeys_no_terminal_and_can_be_written(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert len(shown) == len(text)
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in shown)


def test_a_summary_cannot_hide_a_command_for_the_terminal() -> None:
    assert "\x1b" not in parse("1", {"summary": b"\x1b[2Jgone"}, None).summary
