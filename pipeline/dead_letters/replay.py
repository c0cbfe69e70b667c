"""Replaying dead letters: each does its work once, and a cause that is still there stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from models import DeadLetter
from models.dead_letter import UNSETTLED
from pipeline.dead_letters.drain import drain
from pipeline.dead_letters.reading import Wanted
from pipeline.dead_letters.runs import Run, begin, outcomes, settle, unfit
from pipeline.dead_letters.stages import Report, Stage, StageReport, stages, why_stop
from pipeline.errors import Permanent
from pipeline.stores import Row, collection

#: How long a stage may take by default: three attempts at a slow sync.
PATIENCE_SECONDS = 900.0
_LOOK_SECONDS = 0.2
#: Of those that fail again, so many are told by name.
_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has got."""

    fingerprint: str
    stage: str
    letters: int
    ended: int
    failed: int


Watch = Callable[[Progress], None]


def _unwatched(_: Progress) -> None:
    return


def replay(
    wanted: Wanted,
    by: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    watch: Watch = _unwatched,
) -> Iterator[Report]:
    """Replay the letters that are open, group by group, each with its own canary.

    Letters whose replay was interrupted come first; their failure stops the
    group as a canary's does.  `patience_seconds` is for each stage; `by` is who
    asks for it.  A report of each group comes when it has ended.
    """
    drain()
    query = replace(wanted, status=None).query() | {"status": {"$in": list(UNSETTLED)}}
    for fingerprint in sorted(collection(DeadLetter).distinct("fingerprint", query)):
        yield _replay_group(
            query | {"fingerprint": fingerprint}, fingerprint, by, patience_seconds, watch
        )


def replay_one(
    letter: Row,
    by: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    watch: Watch = _unwatched,
) -> Report:
    """Replay one letter.  Raises Permanent if it is settled or cannot be replayed."""
    name = letter["_id"]
    if letter["status"] not in UNSETTLED:
        raise Permanent(f"dead letter {name} is {letter['status']}; only open ones are replayed")
    if reason := unfit(letter):
        raise Permanent(f"dead letter {name} cannot be replayed, only dismissed: {reason}")
    return _replay_group(
        {"_id": name, "status": {"$in": list(UNSETTLED)}},
        letter["fingerprint"],
        by,
        patience_seconds,
        watch,
    )


def _replay_group(
    query: Row, fingerprint: str, by: str, patience_seconds: float, watch: Watch
) -> Report:
    report = Report(fingerprint)
    interrupted, fresh = _sorted_out(query, report)
    report.left = len(fresh)
    for stage in chain(_again(interrupted), stages(fresh)):
        report.left -= len(set(stage.letter_ids) - set(interrupted))
        report.stages.append(_run(stage, report, by, patience_seconds, watch))
        report.stopped = why_stop(report.stages)
        if report.stopped:
            break
    return report


def _again(interrupted: list[str]) -> Iterator[Stage]:
    if interrupted:
        yield Stage("interrupted replay", tuple(interrupted))


def _sorted_out(query: Row, report: Report) -> tuple[list[str], list[str]]:
    """Return the ids of letters whose replay was interrupted, and of open ones."""
    needed = ("status", "job", "args", "options", "tenant_id", "job_id", "correlation_id")
    interrupted, fresh = [], []
    for letter in collection(DeadLetter).find(query, dict.fromkeys(needed, 1)):
        if reason := unfit(letter):
            report.refused[letter["_id"]] = reason
        elif letter["status"] == "replaying":
            interrupted.append(letter["_id"])
        else:
            fresh.append(letter["_id"])
    return interrupted, fresh


def _run(
    stage: Stage, report: Report, by: str, patience_seconds: float, watch: Watch
) -> StageReport:
    """Replay the letters of a stage, and wait until they have ended or time is up."""
    result = StageReport(stage.name, len(stage.letter_ids), stage.canary)
    query = {"_id": {"$in": list(stage.letter_ids)}, "status": {"$in": list(UNSETTLED)}}
    deadline = time.monotonic() + patience_seconds
    pending = begin(list(collection(DeadLetter).find(query)), by)
    result.taken = result.letters - len(pending)
    while pending:
        pending = _settled(pending, result, report)
        ended = result.completed + result.failed
        watch(Progress(report.fingerprint, stage.name, result.letters, ended, result.failed))
        if not pending or time.monotonic() > deadline:
            break
        time.sleep(_LOOK_SECONDS)
    result.unanswered = len(pending)
    return result


def _settled(pending: list[Run], result: StageReport, report: Report) -> list[Run]:
    """Settle the runs that have ended, and return the others."""
    found = outcomes(pending)
    for run, outcome in found.items():
        settle(run, outcome)
        if outcome == "completed":
            result.completed += 1
            continue
        result.failed += 1
        if len(report.failures) < _MOST_FAILURES:
            lost = "it is not known what became of it"
            report.failures[run.letter_id] = lost if outcome == "lost" else _error(run.letter_id)
    return [run for run in pending if run not in found]


def _error(letter_id: str) -> str:
    letter = collection(DeadLetter).find_one({"_id": letter_id}, {"error": 1}) or {}
    error = letter.get("error", {})
    return ": ".join(filter(None, (error.get("class"), error.get("message"))))
