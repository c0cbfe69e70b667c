"""Running a failed job again, for callers that cannot wait until it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.dead_letter import UNSETTLED
from pipeline.dead_letters.drain import drain
from pipeline.dead_letters.reading import find
from pipeline.dead_letters.replaying import begin_letter
from pipeline.dead_letters.runs import unfit
from pipeline.errors import Permanent
from pipeline.jobs import controls
from pipeline.jobs.entries import Entry
from pipeline.jobs.sending import Send, enqueue


@dataclass(frozen=True, slots=True)
class Retried:
    """What was done: `action` for programs, `text` for people; `message_id` is what to look at."""

    action: Literal["promoted", "replaying", "sent", "already_there"]
    text: str
    message_id: str


def retry(entry: Entry, by: str) -> Retried:
    """Run a failed job again: its open dead letter is replayed, or else the same is sent anew.

    A delayed one is promoted.  Raises Permanent for any other state, and for a
    job that cannot be sent again.
    """
    if entry.state == "delayed" and controls.promote(entry.message_id):
        return Retried("promoted", "It is delayed no longer.", entry.message_id)
    if entry.state != "failed":
        raise Permanent(f"the job is {entry.state}; only failed and delayed ones are retried")
    drain()  # it may have failed a moment ago
    letter = find(entry.message_id)
    if letter is None or letter["status"] not in UNSETTLED:
        return _sent_anew(entry)
    if reason := unfit(letter):
        raise Permanent(f"its dead letter cannot be replayed, only dismissed: {reason}")
    sent = begin_letter(letter, by)
    return Retried("replaying", "A job replays its dead letter.", sent.message_id)


def _sent_anew(entry: Entry) -> Retried:
    """Send the same job again; it had no dead letter, or that is settled."""
    if entry.arguments is None:
        raise Permanent("the arguments of the job cannot be read; it cannot be sent again")
    tenant_id = entry.scope("tenant")
    again = Send(entry.job, entry.arguments, tenant_id=tenant_id, job_id=entry.job_id)
    [sent] = enqueue([again])
    if not sent.created:
        text = "The same job waits, is delayed or runs already."
        return Retried("already_there", text, sent.message_id)
    return Retried("sent", "It has no open dead letter, so it was sent anew.", sent.message_id)
