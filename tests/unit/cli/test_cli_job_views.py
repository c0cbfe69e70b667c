"""How jobs, queues and logs are shown."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from pipeline.cli.jobs import logs, showing, views
from pipeline.cli.queues import rules_table, shown
from pipeline.jobs.controls import Pause
from pipeline.jobs.entries import Entry, parse
from pipeline.jobs.explaining import Reason
from pipeline.jobs.looking import Seen
from pipeline.jobs.reading import Depth, LogLine
from pipeline.jobs.workers import Worker
from pipeline.queues import QUEUES

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOW_MS = NOW.timestamp() * 1000


def entry(state: str, job_id: str = "sync:google_gmail:ada", **fields: str) -> Entry:
    known = {"state": state, "job_id": job_id, "job": "sync", "queue": "data-sync", **fields}
    return parse(
        "5b1c0a77f2d3e490", {name: value.encode() for name, value in known.items()}, NOW_MS - 5000
    )


def printed(*parts: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def failed(**fields: str) -> Entry:
    error = {"class": "Transient", "message": "down", "reason": "attempts_spent"}
    return entry("failed", error=json.dumps(error), **fields)


@given(st.text("éß漢_@", min_size=1, max_size=200), st.sampled_from([80, 100, 129, 130, 160, 220]))
def test_a_list_of_jobs_fits_the_terminal_and_keeps_every_id_whole(job_id: str, width: int) -> None:
    text = printed(views.job_table([entry("waiting", job_id)], NOW, width), width=width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert "5b1c0a77f2d3e490" in text
    # Nothing else in the table has these letters.
    assert "".join(letter for letter in text if letter in "éß漢_@…") == views.masked(job_id)


def test_a_failed_job_names_its_error_on_any_terminal() -> None:
    for width in (80, 160):
        assert "Transient" in printed(views.job_table([failed()], NOW, width), width=width)


def test_a_delayed_job_says_when_it_is_due() -> None:
    due = parse("1", {"state": b"delayed", "why": b"retry"}, NOW_MS + 90_000)
    assert views.when(due, NOW) == "in 1 min"
    assert views.when(due, NOW + timedelta(hours=1)) == "now"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "–"), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (61_000, "1 min")],
)
def test_run_times_are_told_as_exactly_as_they_matter(milliseconds: int | None, text: str) -> None:
    assert views.milliseconds(milliseconds) == text


def test_everything_about_a_job_is_told() -> None:
    started = str(round(NOW_MS - 7000))
    job = failed(
        args='["ada@example.com", "google_gmail"]',
        lane="tenant:acme\nuser:ada@example.com\nsource:google_gmail",
        enqueued_at=str(round(NOW_MS - 9000)),
        started_at=started,
        finished_at=str(round(NOW_MS - 5000)),
        attempts="3",
        deliveries="6",
        deferrals="2",
        deaths="1",
        wait_ms="120",
        run_ms="2900",
        worker="host:1:ab",
        correlation="c0ffee",
        release="1.2.3",
        parent="aaaa",
        traceback="  engine.py:12 in sync\n    raise Transient",
    )
    line = LogLine(NOW, "WARNING", "slow", {"calls": "3"})
    seen = showing.Seen(job, [], [Reason("paused", "it is paused", None)], [line], None, [])
    text = printed(*showing.parts(seen, NOW, reveal=False, width=100), width=100)
    for part in (
        *("failed", "5b1c0a77f2d3e490", "sync on data-sync", "user_id a…@…", "tenant:acme"),
        *("3 of 3", "deliveries: 6", "put off by a limit: 2", "workers that died under it: 1"),
        *("host:1:ab", "c0ffee", "1.2.3", "aaaa", "2026-05-04 11:59:51.000 UTC"),
        *("after waiting 120 ms", "after running 2.9 s", "it is paused"),
        *("Transient: down (attempts_spent)", "engine.py:12 in sync", "slow calls=3"),
    ):
        assert part in text
    assert "example.com" not in text
    assert "ada@example.com" in printed(*showing.parts(seen, NOW, reveal=True, width=100))


@pytest.mark.parametrize("state", ["waiting", "delayed", "running", "completed", "failed", ""])
def test_a_job_of_which_little_is_known_can_be_shown(state: str) -> None:
    seen = showing.Seen(parse("1", {"state": state.encode()}, None), [], [], [], None, [])
    assert state in printed(*showing.parts(seen, NOW, reveal=False, width=80))
    json.dumps(showing.document(seen, reveal=False), default=str)


def test_markup_in_a_job_is_shown_as_it_is() -> None:
    job = entry("completed", "[bold]x[/bold]", summary="[red]y[/red]", args='["[b]z[/b]", "s"]')
    seen = showing.Seen(job, [], [], [LogLine(NOW, "INFO", "[i]w[/i]", {})], None, [])
    text = printed(*showing.parts(seen, NOW, reveal=True, width=80))
    for part in ("[bold]x[/bold]", "[red]y[/red]", "[b]z[/b]", "[i]w[/i]"):
        assert part in text


LINES = [LogLine(NOW, "INFO", text, {}) for text in "abcdefgh"]


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [("", "abc", "abc"), ("abc", "abc", ""), ("abc", "abcd", "d"), ("abc", "cde", "de")],
)
def test_only_lines_that_are_new_follow(before: str, now: str, new: str) -> None:
    by_text = {line.text: line for line in LINES}
    lines = [by_text[text] for text in now]
    known = logs.overlap([by_text[text] for text in before], lines)
    assert "".join(line.text for line in lines[known:]) == new


def seen_queue(name: str, depth: Depth, *, pauses: list[Pause], workers: list[Worker]) -> Seen:
    return Seen(QUEUES[name], depth, pauses, workers, has_jobs=True)


BUSY = Depth(waiting=1234, running=3, delayed=2, failed=12, oldest_seconds=125)
WORKER = Worker("host:1:ab", 1.0, threads=8, queues=("data-sync",))


def test_queues_tell_what_waits_and_how_much_room_there_is() -> None:
    text = printed(
        *shown([seen_queue("data-sync", BUSY, pauses=[], workers=[WORKER, WORKER])], NOW)
    )
    for part in ("1,234", "3 of 6", "12", "2 min", "2 workers"):
        assert part in text


def test_a_queue_with_waiting_jobs_and_no_workers_says_so() -> None:
    text = printed(*shown([seen_queue("data-sync", BUSY, pauses=[], workers=[])], NOW))
    assert "no workers" in text
    assert "data-sync has waiting jobs and no worker" in text


def test_a_paused_queue_says_by_whom_why_and_for_how_long() -> None:
    pause = Pause("queue:data-sync", NOW + timedelta(minutes=12), "deploy", "ada", NOW)
    text = printed(*shown([seen_queue("data-sync", BUSY, pauses=[pause], workers=[])], NOW))
    assert "data-sync is paused by ada: deploy (12 min to go)" in text
    assert "no worker" not in text


@pytest.mark.parametrize("width", [80, 120, 160])
def test_the_rules_of_all_queues_fit_the_terminal_uncut(width: int) -> None:
    nothing = Depth(0, 0, 0, 0, 0.0)
    all_seen = [seen_queue(name, nothing, pauses=[], workers=[]) for name in QUEUES]
    text = printed(rules_table(all_seen, width), *shown(all_seen, NOW), width=width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    for part in ("5 (1, 2, 4, 8 s)", "3 (5, 5 s)", "10 in 1 min per user", "one per connection"):
        assert part in text
    assert ("7 d" in text) == (width >= 120)
