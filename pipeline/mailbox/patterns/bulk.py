"""Approving many patterns at once: each on its own, whatever becomes of the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from pipeline.errors import Gone, HeadraceError, Permanent
from pipeline.mailbox.patterns import lifecycle
from pipeline.mailbox.patterns.rows import owned
from pipeline.refusals import Refused

logger = logging.getLogger(__name__)

MOST_PATTERNS = 500
#: Actions that need no folder, so that one fits mail of any sender.
BULK_ACTIONS = ("delete", "mark_read")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one: `approved`, `retargeted`, `skipped` (it was so before), `refused` or
    `failed`, which may be tried again; `why` is for the last two, and for approvals without a
    rule."""

    pattern_id: str
    outcome: str
    why: str | None = None


def approve_many(
    user_id: str, pattern_ids: Sequence[str], *, by: str, action_type: str | None = None
) -> list[Outcome]:
    """Approve patterns of a user, each with its own action or all with `action_type`.

    Raises Refused, before any is approved, for too many or for another action.
    """
    if len(pattern_ids) > MOST_PATTERNS:
        raise Refused("ids", f"at most {MOST_PATTERNS} patterns at once; {len(pattern_ids)} given")
    if action_type is not None and action_type not in BULK_ACTIONS:
        raise Refused("action_type", f"for many at once, expected {' or '.join(BULK_ACTIONS)}")
    ids = dict.fromkeys(pattern_ids)  # each once, in order
    return [_outcome(user_id, pattern_id, action_type, by) for pattern_id in ids]


def _outcome(user_id: str, pattern_id: str, action_type: str | None, by: str) -> Outcome:
    try:
        outcome, approved = _approve(user_id, pattern_id, action_type, by)
    except (Permanent, Gone) as error:
        return Outcome(pattern_id, "refused", str(error))
    except (HeadraceError, PyMongoError) as error:
        logger.warning("pattern not approved", extra={"reason": type(error).__name__})
        return Outcome(pattern_id, "failed", "a store did not answer; try it again")
    return Outcome(pattern_id, outcome, approved.problem)


def _approve(
    user_id: str, pattern_id: str, action_type: str | None, by: str
) -> tuple[str, lifecycle.Approved]:
    """Do what is left to do: nothing, or a rule that is missing, for one that is approved so."""
    pattern = owned(user_id, pattern_id)
    was_approved = pattern["status"] == "approved"
    if action_type in (None, pattern["suggested_action"]["action_type"]):
        approved = lifecycle.approve(user_id, pattern_id, by=by)
        return ("skipped" if was_approved else "approved"), approved
    approved = lifecycle.customize(user_id, pattern_id, action_type=str(action_type), by=by)
    return ("retargeted" if was_approved else "approved"), approved
