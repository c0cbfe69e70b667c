"""Performing a claimed execution: step after step, each asked for anew whether it may be.

What fails in passing is put off: its step stays `doing` and is reconciled next time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pymongo.errors import PyMongoError

from pipeline.errors import (
    Gone,
    HeadraceError,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
)
from pipeline.mailbox import changing, forwarding, ledger, notifying, outcomes, staged_rows
from pipeline.mailbox.checks import Objection, objection
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.running import GONE, OVER, Run
from pipeline.stores import Row

#: What fails so often, each time in passing, has failed.
MOST_ATTEMPTS = 5
_BACKOFF_SECONDS = 30.0
#: How often it is looked whether a pause, or a lost grant, is over.
LOOK_AGAIN = timedelta(minutes=5)


def attempt(hold: Hold, execution_id: str) -> bool:
    """Claim an execution and do what is left of it; False if nothing was, or somebody else did.

    What may pass is put off, and what may not is written.  Raises, once it is put off,
    RateLimited, ReauthRequired and Misconfigured, since they concern all of the mailbox.
    """
    now = datetime.now(UTC)
    execution = ledger.claim(execution_id, hold.fence, now)
    if execution is None:
        return False
    if execution["attempts"] > MOST_ATTEMPTS:
        _give_up(hold, execution, "it was tried too often")
        return True
    try:
        _perform(hold, execution)
    except (LeaseLost, PyMongoError):
        raise
    except RateLimited as error:
        again = now + timedelta(seconds=max(1.0, error.retry_after_seconds))
        ledger.postpone(execution, again, "it waits for quota", now, free=True)
        raise
    except (ReauthRequired, Misconfigured) as error:
        ledger.postpone(execution, now + LOOK_AGAIN, str(error), now, free=True)
        raise
    except HeadraceError as error:
        _put_off_or_give_up(hold, execution, str(error), now)
    return True


def _put_off_or_give_up(hold: Hold, execution: Row, reason: str, now: datetime) -> None:
    attempts = int(execution["attempts"])
    if attempts >= MOST_ATTEMPTS:
        _give_up(hold, execution, reason)
        return
    pause = timedelta(seconds=_BACKOFF_SECONDS * 2 ** (attempts - 1))
    ledger.postpone(execution, now + pause, reason, now)


def _give_up(hold: Hold, execution: Row, reason: str) -> None:
    run = Run(hold, execution)
    _look_at_what_was_begun(run)
    run.end_rest("failed", reason)
    outcomes.finish(hold, execution, datetime.now(UTC))


def _look_at_what_was_begun(run: Run) -> None:
    """Write which steps were done although no answer came, as far as that can be read."""
    for index in range(len(run.steps)):
        try:
            _is_over(run, index)
        except LeaseLost:
            raise
        except HeadraceError:
            return


def _perform(hold: Hold, execution: Row) -> None:
    """Do the steps that are left and write what came of them all."""
    run = Run(hold, execution)
    try:
        for index in range(len(run.steps)):
            against = None if _is_over(run, index) else _objection(run)
            if against is not None:
                if _is_put_off(run, against):
                    return
                break
            if run.steps[index]["state"] not in OVER:
                _step(run, index)
            if run.steps[index]["state"] == "failed" and execution["kind"] != "undo":
                run.end_rest("skipped", "a step before it has failed")
    except Gone:
        run.end_rest("skipped", GONE)
    outcomes.finish(hold, execution, datetime.now(UTC))


def _is_over(run: Run, index: int) -> bool:
    """Return whether a step is over.

    What was begun is looked at before anything can speak against it: it may be done.
    """
    step = run.steps[index]
    if step["state"] == "doing" and step["action_type"] != "popup":
        _RECONCILE.get(step["action_type"], changing.reconcile)(run, index)
    return run.steps[index]["state"] in OVER


def _objection(run: Run) -> Objection | None:
    execution = run.execution
    return objection(
        run.hold,
        execution["kind"],
        execution.get("rule_id"),
        lambda: run.sender_email,
        execution["created_at"],
    )


def _is_put_off(run: Run, against: Objection) -> bool:
    """Write what comes of an objection: put off, returned, or skipped; False for the last."""
    execution, now = run.execution, datetime.now(UTC)
    # What was begun has been looked at: it was not done, and its mail waits where it was.
    staged = execution["kind"] == "execute" and not any(s["state"] in OVER for s in run.steps)
    if against.passes and staged:
        staged_rows.give_back(execution, now + LOOK_AGAIN, against.reason, now)
        return True
    if against.passes:
        ledger.postpone(execution, now + LOOK_AGAIN, against.reason, now, free=True)
        return True
    if staged:
        attempt(run.hold, staged_rows.turn_back(execution, against.reason, now))
        return True
    run.end_rest("skipped", against.reason)
    return False


def _step(run: Run, index: int) -> None:
    act = _ACTS.get(run.steps[index]["action_type"], changing.change)
    try:
        act(run, index)
    except Permanent as error:
        run.write(index, "failed", str(error))


def _pop_up(run: Run, index: int) -> None:
    execution, step = run.execution, run.steps[index]
    if execution["kind"] == "run_now":
        run.write(index, "skipped", "nothing pops up for mail that was there before")
        return
    run.write(index, "doing")
    notifying.notify(
        execution["user_id"],
        "rule_executed",
        f"popup:{execution['_id']}:{index}",
        "A rule has something to tell you",
        str(step["params"].get("popup_message") or "Mail that you wanted to know of has come."),
        related=("rule", str(execution["rule_id"])),
        priority="high",
    )
    run.write(index, "done")


_RECONCILE = {"forward": forwarding.reconcile}
_ACTS = {"popup": _pop_up, "forward": forwarding.forward}
