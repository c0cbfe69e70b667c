"""How a failure is described: enough to act on, and nothing that is personal."""

from __future__ import annotations

import traceback
from typing import Literal

from pipeline.errors import HeadraceError

#: Why a job is failed for good.
Reason = Literal[
    "attempts_spent",
    "permanent",
    "misconfigured",
    "killed_worker",
    "undecodable",
    "unknown_job",
    "wrong_arguments",
    "needs_reauth",
    "cancelled",
]
_MOST_FRAMES = 30
_MOST_CHARACTERS = 2000


def described(error: BaseException, reason: str = "") -> dict[str, str]:
    """Return class and message of `error`, with the reason for which its job is failed.

    The text of errors that are not our own may hold addresses or bodies of
    requests; it is left out, as in the history of syncs.
    """
    ours = isinstance(error, HeadraceError)
    return {
        "class": type(error).__name__,
        "message": str(error)[:_MOST_CHARACTERS] if ours else "",
        "reason": reason,
    }


def frames(error: BaseException) -> str:
    """Return where `error` and its causes were raised, without their texts."""
    parts = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        rows = [row for row in traceback.extract_tb(link.__traceback__) if not _dramatiq(row)]
        lines = (
            f"  {row.filename}:{row.lineno} in {row.name}\n    {row.line}"
            for row in rows[-_MOST_FRAMES:]
        )
        parts.append("\n".join([*lines, type(link).__name__]))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused ".join(reversed(parts))


def _dramatiq(row: traceback.FrameSummary) -> bool:
    """Every job is called through these; they say nothing."""
    return "/dramatiq/" in row.filename
