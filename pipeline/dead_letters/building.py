"""A dead letter out of what Redis knows of a failed job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.dead_letters.fingerprint import fingerprint
from pipeline.jobs import layout
from pipeline.jobs.entries import Entry, Failure, parse
from pipeline.jobs.reading import LogLine, log_lines
from pipeline.stores import Row, redis_client

#: So many of its last log lines go with a letter.
LOG_LINES = 20
#: Senders refuse arguments a sixteenth of this size; more than that is not kept.
MOST_BYTES = 1 << 20


def built(message_ids: Sequence[str]) -> list[Row]:
    """Return letters for those of the failed runs that Redis still knows."""
    pipe: Any = redis_client().pipeline(transaction=False)
    for message_id in message_ids:
        pipe.hgetall(layout.job(message_id))
    found = zip(message_ids, pipe.execute(), strict=True)
    return [_letter(message_id, fields) for message_id, fields in found if fields]


def _letter(message_id: str, raw: Mapping[bytes, bytes]) -> Row:
    fields = {name.decode("utf-8", "replace"): value for name, value in raw.items()}
    run = parse(message_id, fields, None)
    failure = run.failure or Failure("(unknown)")
    seen_at = run.finished_at or datetime.now(UTC)
    return {
        "_id": message_id,
        "message_id": message_id,
        # A job without an id was not enqueued by us: its letter is its own.
        "job_id": run.job_id or message_id,
        "job": run.job,
        "queue": run.queue,
        "tenant_id": run.scope("tenant"),
        "user_id": run.scope("user"),
        "args": fields.get("args", b"")[:MOST_BYTES],
        "options": fields.get("options", b"")[:MOST_BYTES],
        "fingerprint": _fingerprint(run, failure),
        "reason": failure.reason,
        "error": {"class": failure.error, "message": failure.message},
        "traceback": run.traceback,
        "attempts": run.attempts,
        "deaths": run.deaths,
        "first_seen_at": seen_at,
        "last_seen_at": seen_at,
        "release": run.release,
        "worker": run.worker,
        "correlation_id": run.correlation_id,
        "log": [_line(line) for line in log_lines(message_id)[-LOG_LINES:]],
    }


def _fingerprint(run: Entry, failure: Failure) -> str:
    return fingerprint(
        run.job,
        failure.error,
        failure.reason,
        traceback=run.traceback,
        message=failure.message,
        values=map(str, run.arguments or ()),
    )


def _line(line: LogLine) -> Row:
    fields = [f"{name}={value}" for name, value in line.fields.items()]
    return {"at": line.at, "level": line.level, "text": " ".join([line.text, *fields])}
