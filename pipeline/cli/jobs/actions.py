"""What an operator does to one job: retry, promote, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.cli.exits import WrongUse
from pipeline.dispatch import send_many
from pipeline.jobs import controls
from pipeline.jobs.entries import Entry
from pipeline.jobs.redaction import masked
from pipeline.jobs.sending import Send
from pipeline.probes import require


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: `action` for programs, `text` for people.

    `message_id` is that of the run to look at; `ok` is False if it was tried and failed again.
    """

    action: str
    text: str
    message_id: str
    ok: bool = True


def promote(entry: Entry) -> Done:
    """Let a delayed job start now.  Raises WrongUse for any other."""
    if not controls.promote(entry.message_id):
        raise WrongUse(
            f"{masked(entry.job_id)} is {entry.state}; only what is delayed can be promoted"
        )
    return Done("promoted", "It is delayed no longer, and first in its turn.", entry.message_id)


def cancel(entry: Entry) -> Done:
    """Cancel a job that has not ended.  Raises WrongUse for one that has."""
    state = controls.cancel(entry.message_id)
    if state == "running":
        text = "It was asked to stop; a job that waits for something outside stops after that."
        return Done("asked_to_stop", text, entry.message_id)
    if state in ("waiting", "delayed"):
        return Done("cancelled", "It is cancelled; there will be no dead letter.", entry.message_id)
    raise WrongUse(f"{masked(entry.job_id)} is {state or 'gone'}; there is nothing to cancel")


def retry(entry: Entry, by: str, wait_seconds: float) -> Done:
    """Run a failed job again: its open dead letter is replayed, or else the same is sent anew.

    A delayed one is promoted.  Raises WrongUse for any other state.
    """
    if entry.state == "delayed":
        return promote(entry)
    if entry.state != "failed":
        raise WrongUse(
            f"{masked(entry.job_id)} is {entry.state}; only failed and delayed jobs are retried"
        )
    letter = _open_letter(entry)
    return _replayed(letter, by, wait_seconds) if letter else _sent_anew(entry)


def _open_letter(entry: Entry) -> dict[str, Any] | None:
    """Return the dead letter of this run that nobody has settled.  Raises Transient."""
    from pipeline import dead_letters

    require("mongodb")
    dead_letters.drain()  # it may have failed a moment ago
    letter = dead_letters.find(entry.message_id)
    return letter if letter and letter["status"] in ("open", "replaying") else None


def _replayed(letter: dict[str, Any], by: str, wait_seconds: float) -> Done:
    from pipeline import dead_letters

    report = dead_letters.replay_one(letter, by, patience_seconds=wait_seconds)
    letter = dead_letters.find(letter["_id"]) or letter
    message_id = letter.get("replay_message_id") or letter["message_id"]
    if report.completed:
        return Done("replayed", "Its dead letter is replayed: the job completed.", message_id)
    if report.failed:
        error = next(iter(report.failures.values()), "")
        text = f"It failed again: {error}. Its dead letter stays open."
        return Done("failed_again", text, message_id, ok=False)
    text = "Its dead letter is being replayed; the job has not ended yet."
    return Done("replaying", text, message_id)


def _sent_anew(entry: Entry) -> Done:
    """Send the same job again; it had no dead letter, or that is settled."""
    if entry.arguments is None:
        raise WrongUse(
            f"the arguments of {masked(entry.job_id)} cannot be read; it cannot be sent again"
        )
    tenant_id = entry.scope("tenant")
    [sent] = send_many([Send(entry.job, entry.arguments, 0, tenant_id, entry.job_id)])
    if not sent.created:
        text = "The same job waits, is delayed or runs already."
        return Done("already_there", text, sent.message_id)
    return Done(
        "sent", "It has no open dead letter, so the same job was sent anew.", sent.message_id
    )
