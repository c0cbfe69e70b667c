"""Durations, times and scopes that a person types."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from cli_runner import document, headrace
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.exits import WrongUse
from pipeline.cli.scopes import KINDS, scope_of
from pipeline.cli.times import duration_of, end_of, moment_of
from pipeline.queues import QUEUES
from pipeline.timetable import in_words

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("30 min", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d12h", timedelta(days=1, hours=12)),
        (" 1w 1d ", timedelta(days=8)),
    ],
)
def test_durations_are_read(text: str, duration: timedelta) -> None:
    assert duration_of(text) == duration


@pytest.mark.parametrize("text", ["", "5", "h", "5x", "-5m", "1.5h", "5m later", "1e9s", "٣m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="30m"):
        duration_of(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:00", datetime(2026, 5, 4, 18, 0, tzinfo=UTC)),
        ("9:15", datetime(2026, 5, 5, 9, 15, tzinfo=UTC)),
        ("12:30", datetime(2026, 5, 5, 12, 30, tzinfo=UTC)),
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T08:00", datetime(2026, 6, 1, 8, 0, tzinfo=UTC)),
        ("2026-06-01T08:00+02:00", datetime(2026, 6, 1, 6, 0, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_utc(text: str, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    assert moment_of(moment.isoformat(), NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "12:60", "2026-13-01", "0001-01-01T00:00+23:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="18:00"):
        moment_of(text, NOW)


@pytest.mark.parametrize(
    ("lasting", "until", "hint"),
    [
        ("1h", "18:00", "not both"),
        (None, "2026-05-04T12:00", "passed"),
        ("0s", None, "passed"),
        ("999999w", None, "later than"),
    ],
)
def test_an_end_must_make_sense(lasting: str | None, until: str | None, hint: str) -> None:
    with pytest.raises(WrongUse, match=hint):
        end_of(lasting, until, NOW)


def test_without_an_end_there_is_none() -> None:
    assert end_of(None, None, NOW) is None


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_may_be_named_alone(name: str) -> None:
    assert scope_of(name) == scope_of(f"queue:{name}") == f"queue:{name}"


#: Whose values are names of a table.
NAMED = ("queue", "source", "schedule")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NAMED])
def test_a_scope_may_hold_colons(kind: str) -> None:
    assert scope_of(f"{kind}:a:b") == f"{kind}:a:b"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("grap", "did you mean 'graph'?"),
        ("zzz", "one of queue, tenant"),
        ("usr:ada", "did you mean 'user'?"),
        ("x:ada", "one of queue, tenant"),
        ("user:", "which user"),
        ("user: ", "which user"),
        ("user:a\nb", "which user"),
        ("queue:data-synk", "did you mean 'data-sync'?"),
        ("queue:x", "one of data-sync"),
        ("source:gmail", "did you mean 'google_gmail'?"),
    ],
)
def test_a_scope_that_there_is_not_is_refused_with_a_hint(text: str, hint: str) -> None:
    result = headrace("pause", text)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert document(headrace("pause", text, "--json"))["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["pause", "--for", "1h"], "give a SCOPE"),
        (["pause", "graph", "--for", "1"], "not a duration"),
        (["pause", "graph", "--until", "never"], "not a time"),
        (["queues", "--watch"], "without it"),
        (["jobs", "logs", "x", "--follow"], "without it"),
        (["jobs", "list", "--queue", "grap"], "did you mean 'graph'?"),
        (["jobs", "list", "--state", "done"], "expected one of waiting"),
        (["jobs", "list", "--search", "state:fialed"], "did you mean 'failed'?"),
        (["jobs", "list", "--search", "queue:grap"], "did you mean 'graph'?"),
        (["jobs", "list", "--before", "yesterday"], "not a place"),
        (["jobs", "list", "--limit", "0"], "--limit"),
        (["schedules", "run", "dispath"], "did you mean 'dispatch'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_of_job_commands_ends_with_2_and_a_hint(arguments: list[str], hint: str) -> None:
    result = headrace(*arguments, "--json")
    assert result.exit_code == 2
    assert hint in document(result)["error"]["message"]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 3 * * *", "at 03:00"),
        ("0 3 * * mon", "at 03:00, only on Monday"),
    ],
)
def test_a_schedule_is_told_in_plain_words(cron: str, words: str) -> None:
    assert in_words(CronTrigger.from_crontab(cron, timezone="UTC")) == words


@pytest.mark.parametrize("day", range(7))
def test_the_weekday_that_is_told_is_the_one_on_which_it_fires(day: int) -> None:
    trigger = CronTrigger.from_crontab(f"0 3 * * {day}", timezone="UTC")
    fires = trigger.get_next_fire_time(None, NOW)
    assert in_words(trigger).endswith(fires.strftime("only on %A"))


def test_a_schedule_without_plain_words_has_none() -> None:
    assert in_words(CronTrigger(day="2nd mon", timezone="UTC")) == ""


def test_seconds_are_told() -> None:
    assert in_words(CronTrigger(second="*/5", timezone="UTC")) == "every 5 seconds"
