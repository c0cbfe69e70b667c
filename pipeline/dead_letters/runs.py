"""Runs of replayed jobs: sent once for each claim of a letter, then watched until they end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.dead_letters import transitions
from pipeline.dead_letters.drain import count
from pipeline.errors import HeadraceError, Misconfigured, Permanent
from pipeline.jobs import identity, layout
from pipeline.jobs.sending import Send, enqueue
from pipeline.queues import job_named
from pipeline.stores import Row, redis_client

#: While the mark of a replay lives, sending it again does nothing: time enough to carry on
#: with an interrupted one.
_MARK_SECONDS = 30 * 86_400.0

#: `lost`: Redis no longer knows what became of the run.
Outcome = Literal["completed", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class Run:
    """A replay under way.  `message_id` is empty if it had ended before it was looked for."""

    letter_id: str
    token: str
    message_id: str


def unfit(letter: Row) -> str | None:
    """Return why a letter cannot be replayed, or None if it can."""
    try:
        _send(letter, "")
    except (Misconfigured, Permanent) as error:
        return str(error)
    return None


def _send(letter: Row, token: str) -> Send:
    """Return what to send.  Raises Misconfigured or Permanent if this release cannot."""
    args, options = _decoded(letter, "args"), _decoded(letter, "options")
    if not isinstance(args, list) or not isinstance(options, dict | None):
        raise Permanent("its message cannot be decoded")
    job = job_named(letter["job"])
    identity.encoded(job, identity.named(job, args))
    return Send(
        letter["job"],
        tuple(args),
        tenant_id=letter["tenant_id"],
        job_id=letter["job_id"],
        once=token,
        once_seconds=_MARK_SECONDS,
        correlation_id=letter["correlation_id"] or None,
        options=options,
    )


def _decoded(letter: Row, field: str) -> Any:
    try:
        return json.loads(letter[field]) if letter[field] else None
    except ValueError:
        raise Permanent("its message cannot be decoded") from None


def begin(letters: Sequence[Row], by: str) -> list[Run]:
    """Replay those of `letters` that are open, or carry on with their replays.

    First the letter says that it is being replayed and by which token, then the
    job is sent under that token: a crash in between is mended by doing it again.
    Letters that somebody else has got hold of are left out.  Raises Misconfigured
    or Permanent, with all of them open again, if their jobs cannot be sent.
    """
    claimed = []
    for letter in letters:
        resumed = letter["status"] == "replaying"
        token = letter["replay_token"] if resumed else transitions.claim(letter["_id"], by)
        if token:
            claimed.append((letter, token))
    try:
        sent = enqueue([_send(letter, token) for letter, token in claimed])
    except HeadraceError:
        for letter, token in claimed:
            transitions.reopen(letter["_id"], token)
        raise
    runs = []
    for (letter, token), one in zip(claimed, sent, strict=True):
        # Of a token that was used up, the mark holds the outcome in place of a message id.
        ended = one.message_id in ("completed", "failed")
        run = Run(letter["_id"], token, "" if ended else one.message_id)
        if not ended:
            transitions.note_run(run.letter_id, token, run.message_id)
        runs.append(run)
    return runs


def outcomes(runs: Sequence[Run]) -> dict[Run, Outcome]:
    """Return what became of those of `runs` that have ended."""
    pipe: Any = redis_client().pipeline(transaction=True)
    for run in runs:
        pipe.get(layout.once(run.token))
        pipe.hget(layout.job(run.message_id), "state")
    answers = iter(pipe.execute())
    found = {
        run: _outcome(mark, state) for run, mark, state in zip(runs, answers, answers, strict=True)
    }
    return {run: outcome for run, outcome in found.items() if outcome}


def _outcome(mark: bytes | None, state: bytes | None) -> Outcome | None:
    # The mark outlives history.  But if the job was live already, a later tick may have put
    # its own mark on it, and then only history tells.
    for told in (mark, state):
        if told == b"completed":
            return "completed"
        if told == b"failed":
            return "failed"
    return None if state else "lost"


def settle(run: Run, outcome: Outcome) -> None:
    """Have the letter say what became of its replay.  Safe to do twice."""
    if outcome == "completed":
        transitions.close(run.letter_id, run.token)
        return
    if outcome == "failed" and run.message_id:
        count([run.message_id])
    transitions.reopen(run.letter_id, run.token)
