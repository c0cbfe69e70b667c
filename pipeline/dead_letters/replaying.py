"""Replaying as a job: it outlives whoever asked for it, and everybody can watch it.

The job takes its thread for some seconds at a time and lets others run in between,
for those that it waits for may be on its own queue.  Killed or put off, it carries on
with the replay as it finds it in the letters, a canary first as ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models import DeadLetter
from models.dead_letter import UNSETTLED
from pipeline.dead_letters.reading import Wanted, find
from pipeline.dead_letters.replay import PATIENCE_SECONDS, Progress, replay, replay_one
from pipeline.dead_letters.stages import Report
from pipeline.errors import Permanent, Unfinished
from pipeline.jobs import identity, reading
from pipeline.jobs.current import current, progress, summarize
from pipeline.jobs.sending import Send, Sent, enqueue
from pipeline.queues import job_named
from pipeline.stores import Row, collection

#: How long one turn waits for the outcomes of a stage, and how long others then have the thread.
_TURN_SECONDS = 5.0
_PAUSE_SECONDS = 2.0


def begin_group(fingerprint: str, by: str, *, tenant_id: str = "") -> Sent:
    """Queue the replay of a group, of one tenant only if given; one under way is returned."""
    return _begin(fingerprint, "", tenant_id, by)


def begin_letter(letter: Row, by: str) -> Sent:
    """Queue the replay of one letter; one under way is returned."""
    return _begin(letter["fingerprint"], letter["_id"], letter.get("tenant_id") or "", by)


def job_id_of(fingerprint: str, letter_id: str = "", tenant_id: str = "") -> str:
    """Return the job id of a replay, by which the newest one is found."""
    job = job_named("replay")
    return identity.job_id(job, identity.named(job, (fingerprint, letter_id, tenant_id, "")))


def _begin(fingerprint: str, letter_id: str, tenant_id: str, by: str) -> Sent:
    args = (fingerprint, letter_id, tenant_id, by)
    [sent] = enqueue([Send("replay", args, tenant_id=tenant_id)])
    return sent


def carry_on(fingerprint: str, letter_id: str, tenant_id: str, by: str) -> None:
    """Take one turn at a replay.  Raises Unfinished while there is more to do."""
    wanted = Wanted(None, fingerprint, tenant_id=tenant_id or None)
    began_at = _began_at()
    report = _one(letter_id, by) if letter_id else _group(wanted, by)
    waits = bool(report and report.stages and report.stages[-1].unanswered)
    if waits and not _in_vain(wanted, began_at):
        raise Unfinished(_PAUSE_SECONDS)
    query = wanted.query() | ({"_id": letter_id} if letter_id else {})
    done = {"status": "replayed", "acted_by": by, "acted_at": {"$gte": began_at}}
    replayed = collection(DeadLetter).count_documents(query | done)
    summarize(_in_words(replayed, report))


def _group(wanted: Wanted, by: str) -> Report | None:
    reports = replay(wanted, by, patience_seconds=_TURN_SECONDS, watch=_told)
    return next(iter(reports), None)


def _one(letter_id: str, by: str) -> Report | None:
    letter = find(letter_id)
    if letter is None or letter["status"] not in UNSETTLED:
        return None
    try:
        return replay_one(letter, by, patience_seconds=_TURN_SECONDS, watch=_told)
    except Permanent as error:  # it has been settled since, or this release cannot run it
        return Report(letter["fingerprint"], stopped=str(error))


def _told(step: Progress) -> None:
    failed = f", {step.failed} failed again" if step.failed else ""
    progress(step.ended / step.letters, f"{step.stage}: {step.ended} of {step.letters}{failed}")


def _began_at() -> datetime:
    job = current()
    entry = reading.get(job.message_id) if job else None
    return (entry and entry.enqueued_at) or datetime.now(UTC)


def _in_vain(wanted: Wanted, began_at: datetime) -> bool:
    """Return whether this has waited for long, and letters have been under way for as long."""
    long_ago = datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)
    stuck = {"status": "replaying", "acted_at": {"$lte": long_ago}}
    found = began_at <= long_ago and collection(DeadLetter).find_one(wanted.query() | stuck)
    return bool(found)


def _in_words(replayed: int, report: Report | None) -> str:
    """Return what became of a replay, in a line."""
    if report is None:
        return f"{replayed} replayed" if replayed else "no letter is open"
    parts = [f"{replayed} replayed"]
    if report.failed:
        parts.append(f"{report.failed} failed again")
    if report.refused:
        parts.append(f"{len(report.refused)} can only be dismissed")
    if report.stopped:
        parts.append(f"stopped: {report.stopped}")
    if report.left:
        parts.append(f"{report.left} are left as they were")
    return "; ".join(parts)
