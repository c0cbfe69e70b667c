"""What an operator does to jobs, one or many: start now, cancel, retry.  Each acts by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.dead_letters.retrying import retry as retry_job
from pipeline.errors import Permanent
from pipeline.jobs import controls
from pipeline.jobs.entries import Entry
from pipeline.jobs.reading import get
from pipeline.web.pages import Conflict, Done, NotFound

#: Acts on a job for somebody and returns what was done, in words.  Raises Conflict, whose text
#: goes on after "the job", if the job is not in a state for that.
Act = Callable[[Entry, str], str]

_GONE = "is gone, and its history too"


def promote(entry: Entry, by: str) -> str:  # noqa: ARG001
    """Let a delayed job start now."""
    if controls.promote(entry.message_id):
        return "It is delayed no longer, and first in its turn."
    raise Conflict(f"{_now(entry)}; only what is delayed can be started early")


def cancel(entry: Entry, by: str) -> str:  # noqa: ARG001
    """Cancel a job that waits or is delayed; ask one that runs to stop."""
    if entry.state == "running" and entry.cancelling:
        raise Conflict("was asked to stop already")
    state = controls.cancel(entry.message_id)
    if state == "running":
        return "It was asked to stop; while it waits for something outside, it does not hear that."
    if state in ("waiting", "delayed"):
        return "It is cancelled; there will be no dead letter."
    raise Conflict(f"{_now(entry)}; there is nothing to cancel")


def retry(entry: Entry, by: str) -> str:
    """Run a failed job again by its dead letter, or anew; let a delayed one start."""
    try:
        return retry_job(entry, by).text
    except Permanent as error:
        raise Conflict(str(error).removeprefix("the job ")) from None


def one(message_id: str, act: Act, by: str) -> str:
    """Act on one job.  Raises NotFound or Conflict in a whole sentence."""
    entry = get(message_id)
    if entry is None:
        raise NotFound(f"The job {_GONE}.")
    try:
        return act(entry, by)
    except Conflict as error:
        raise Conflict(f"The job {error}.") from None


def many(message_ids: Sequence[str], act: Act, by: str, done: str) -> Done:
    """Act on each job by itself, and say how many were `done` and why others were not.

    Raises Conflict if that was none.
    """
    refusals: Counter[str] = Counter()
    for message_id in message_ids:
        entry = get(message_id)
        try:
            if entry is None:
                raise Conflict(_GONE)
            act(entry, by)
        except Conflict as error:
            refusals[str(error)] += 1
    acted = len(message_ids) - refusals.total()
    if not acted:
        raise Conflict(f"Nothing was done. {_refused(refusals)}")
    text = f"{done}: {acted} {'job' if acted == 1 else 'jobs'}. {_refused(refusals)}".rstrip()
    # The field of an audit row has room for some 25 of them.
    details = {"jobs": acted, "refused": refusals.total(), "ids": " ".join(message_ids)}
    return Done(text, details)


def _refused(refusals: Counter[str]) -> str:
    reasons = ", ".join(f"{count} ({reason})" for reason, count in refusals.most_common())
    return f"Left as they were: {reasons}." if reasons else ""


def _now(entry: Entry) -> str:
    """Return the state that a job is in now, which another click may have changed."""
    now = get(entry.message_id)
    if now is None:
        return _GONE
    if now.failure and now.failure.reason == "cancelled":
        return "is cancelled already"
    return f"is {now.state}"
