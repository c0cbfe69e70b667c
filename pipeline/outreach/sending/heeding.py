"""What comes of a message that must not be sent now: it waits, or it is for nothing any more."""

from __future__ import annotations

from datetime import UTC, datetime

from pymongo.client_session import ClientSession

from pipeline.errors import LeaseLost
from pipeline.outreach import actions, enrollments
from pipeline.outreach.advancing import Wake, advance
from pipeline.outreach.promoting import nudge
from pipeline.outreach.sending.errand import Errand
from pipeline.outreach.sending.objections import Objection
from pipeline.outreach.sending.outcomes import close_action
from pipeline.outreach.transactions import transaction

#: What an action is then.
_ACTION_STATUS = {"void": "canceled", "sent": "completed", "under_way": "error", "ends": "error"}


def heed(errand: Errand, against: Objection) -> str:
    """Write what comes of an objection, and return it in words.

    Raises LeaseLost if there is nothing to write, since the message is somebody else's.
    """
    action_id, now = errand.action["_id"], datetime.now(UTC)
    if against.kind == "idle":
        raise LeaseLost(against.because)
    if against.kind == "later":
        # The contact may have moved: its line has to go by the same clock as this.
        until = against.until or now
        actions.put_back([action_id], until, against.because, now, time_zone=against.zone)
        return f"put off: {against.because}"

    def work(session: ClientSession) -> Wake:
        status = "canceled" if against.status == "stopped" else _ACTION_STATUS[against.kind]
        close_action(action_id, status, now, session, against.because)
        if against.kind == "ends":
            return _end(errand, against, session)
        if against.kind == "sent":
            return advance(session, [errand.action["enrollment_id"]], now)
        return Wake()

    nudge(transaction(work))
    return against.because


def _end(errand: Errand, against: Objection, session: ClientSession) -> Wake:
    return enrollments.end_all(
        session,
        [errand.action["enrollment_id"]],
        against.status,
        trigger=against.trigger,
        reason=against.because,
    )
