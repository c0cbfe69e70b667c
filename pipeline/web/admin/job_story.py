"""What happened to a job, in words: its state, its attempts in order, and where they failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.jobs.entries import Attempt, Entry
from pipeline.web.admin.job_rows import error_of
from pipeline.words import duration


def sentence(entry: Entry) -> str:
    """Return what is going on, in words."""
    reason = entry.failure.reason.replace("_", " ") if entry.failure else ""
    match entry.state:
        case "waiting":
            return "It waits for its turn."
        case "delayed":
            return f"It is put off: {entry.why or 'sent to start later'}."
        case "running":
            return "It was asked to stop." if entry.cancelling else "It runs."
        case "completed":
            return "It completed."
        case "failed":
            return f"It failed ({reason})." if reason else "It failed."
    return "Its history cannot be read in full."


def timeline(entry: Entry) -> Iterator[dict[str, Any]]:
    """Yield what happened when, oldest first."""
    yield {"at": entry.enqueued_at, "title": "Enqueued", "kind": "idle", "text": _sent_by(entry)}
    for attempt in entry.past:
        yield {"at": attempt.started_at, **_attempt(attempt)}
    if entry.started_at and not _told_already(entry):
        waited = f" after waiting {_exact(entry.wait_ms)}" if entry.wait_ms is not None else ""
        yield {
            "at": entry.started_at,
            "title": f"Attempt {max(1, entry.attempts)} began",
            "kind": "info",
            "text": f"on {entry.worker or 'an unknown worker'}{waited}",
        }
    match entry.state:
        case "completed" | "failed":
            good = entry.state == "completed"
            yield {
                "at": entry.finished_at,
                "title": "Completed" if good else "Failed",
                "kind": "ok" if good else "bad",
                "text": _end(entry),
            }
        case "delayed":
            yield {"at": entry.due_at, "title": "Due", "kind": "later", "text": entry.why}
        case "waiting" if entry.since != entry.enqueued_at:
            yield {"at": entry.since, "title": "Waits again", "kind": "idle", "text": entry.why}


def _sent_by(entry: Entry) -> str:
    return f"by job {entry.parent}" if entry.parent else "by a schedule, a request or a person"


def _attempt(attempt: Attempt) -> dict[str, str]:
    """Return how an attempt went after which the job went on."""
    where = f"on {attempt.worker}" if attempt.worker else ""
    took = f"ran {_exact(attempt.run_ms)}" if attempt.run_ms is not None else ""
    if attempt.died:
        told = {"title": f"Attempt {attempt.number}: its worker died", "kind": "bad"}
    elif attempt.counted:
        told = {"title": f"Attempt {attempt.number} failed", "kind": "warn"}
    else:
        told = {"title": f"Attempt {attempt.number} was put off", "kind": "later"}
    why = error_of(attempt.failure) or attempt.why
    return told | {"text": "; ".join(filter(None, (why, took, where)))}


def _told_already(entry: Entry) -> bool:
    """Return whether the latest attempt is the last of those before: the job goes on after it."""
    if entry.state not in ("waiting", "delayed") or not entry.past:
        return False
    last = entry.past[-1]
    return last.died or last.started_at == entry.started_at


def _end(entry: Entry) -> str:
    ran = f"after running {_exact(entry.run_ms)}" if entry.run_ms is not None else ""
    return "; ".join(filter(None, (error_of(entry.failure), entry.summary, ran)))


def _exact(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return (
        f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else duration(milliseconds / 1000)
    )


def tracebacks(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield where attempts failed, the latest first."""
    if entry.traceback and not _told_already(entry):
        yield f"Attempt {max(1, entry.attempts)}", entry.traceback
    for attempt in reversed(entry.past):
        if attempt.traceback:
            yield f"Attempt {attempt.number}", attempt.traceback
