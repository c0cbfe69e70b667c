"""Why a job does not run yet, in words for the person who asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.jobs import controls, layout
from pipeline.jobs.controls import Pause
from pipeline.jobs.entries import Entry, moment
from pipeline.jobs.workers import Worker, serving, workers
from pipeline.queues import QUEUES
from pipeline.stores import redis_client


@dataclass(frozen=True, slots=True)
class Reason:
    """What holds a job up: `kind` for programs, `text` for people, `until` when that ends."""

    kind: str
    text: str
    until: datetime | None = None


def what_holds(entry: Entry) -> list[Reason]:
    """Return what holds up a job that waits or is delayed, or may stop one that runs.

    Empty if nothing does: then its turn comes when a worker is free.
    """
    match entry.state:
        case "waiting":
            paused = list(_paused(entry))
            limits = [] if paused else _closed(entry)
            return [*paused, *_no_place(entry), *limits, *_behind_others(entry)]
        case "delayed":
            why = entry.why or "delayed"
            return [Reason("due", why, entry.due_at), *_paused(entry)]
        case "running":
            return list(_running(entry))
    return []


def _paused(entry: Entry) -> Iterator[Reason]:
    scopes = {f"queue:{entry.queue}", *entry.scopes}
    for pause in controls.pauses():
        if pause.scope in scopes:
            yield Reason("paused", said(pause), pause.until)


def said(pause: Pause) -> str:
    """Return what is paused, why and by whom."""
    reason = f": {pause.reason}" if pause.reason else ""
    return f"{pause.scope} is paused by {pause.by or 'somebody'}{reason}"


def _no_place(entry: Entry) -> Iterator[Reason]:
    """Yield that no worker serves the queue, or that those who do have their hands full."""
    among = serving(entry.queue, workers())
    if not among:
        yield Reason("no_workers", f"no worker serves the queue {entry.queue}")
        return
    queue = QUEUES.get(entry.queue)
    places = sum(min(queue.concurrency, worker.threads) for worker in among) if queue else 0
    running: Any = redis_client().zcard(layout.of_queue(entry.queue, "running"))
    if queue and running >= places:
        text = (
            f"{running} jobs of the queue run on {_workers(among)}, and there is room for {places}"
        )
        yield Reason("concurrency", text)


def _workers(among: list[Worker]) -> str:
    return "1 worker" if len(among) == 1 else f"{len(among)} workers"


def _closed(entry: Entry) -> Iterator[Reason]:
    """Yield which limit of the queue does not let it start yet."""
    busy_scope = _busy_scope(entry)
    pipe: Any = redis_client().pipeline(transaction=False)
    pipe.hexists(layout.of_queue(entry.queue, "busy"), busy_scope)
    pipe.get(layout.of_queue(entry.queue, "until"))
    for member in (f"t{entry.scope('tenant')}", "l" + "\n".join(entry.scopes)):
        pipe.zscore(layout.of_queue(entry.queue, "closed"), member)
    busy, *times = pipe.execute()
    if busy:
        yield Reason("one_at_a_time", f"another job of {busy_scope} runs: only one at a time")
        return
    ends = [moment(float(until)) for until in times if until is not None]
    ahead = [until for until in ends if until is not None and until > datetime.now(UTC)]
    if ahead:  # a pause without an end is none of these
        yield Reason("limit", _limit_text(entry), max(ahead))


def _busy_scope(entry: Entry) -> str:
    queue = QUEUES.get(entry.queue)
    scope = queue.one_per if queue and queue.one_per else ""
    return f"{scope}:{entry.scope(scope)}" if scope else ""


def _limit_text(entry: Entry) -> str:
    queue = QUEUES.get(entry.queue)
    limits = [
        f"{limit.starts} starts in {limit.seconds:g} s for each {limit.scope}"
        for limit in (queue.limits if queue else ())
    ]
    return f"a limit is reached ({', '.join(limits)})" if limits else "its scopes are held back"


def _behind_others(entry: Entry) -> Iterator[Reason]:
    lane = layout.of_queue(entry.queue, "lane:" + "\n".join(entry.scopes))
    ahead: Any = redis_client().lpos(lane, entry.message_id)
    if ahead:
        yield Reason("behind_others", f"{ahead} jobs of the same scopes are ahead of it")


def _running(entry: Entry) -> Iterator[Reason]:
    if entry.cancelling:
        yield Reason("cancelling", "it was asked to stop")
    holder = next((worker for worker in workers() if worker.id == entry.worker), None)
    if holder is None:
        yield Reason("worker_gone", "its worker is gone; the job is about to run again")
    elif holder.silent:
        yield Reason("worker_silent", "its worker is silent; the job is about to run again")
