"""What speaks against sending a message now: asked before it is claimed, and once more last.

Who asks and gets an error sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from models.outreach import ACTION_OPEN
from pipeline import quiet_hours
from pipeline.outreach import suppressions
from pipeline.outreach.sending.errand import Errand

#: How often it is looked whether a pause is over, or a sender may send again.
LOOK_AGAIN = timedelta(minutes=1)
#: Nothing is handed over so shortly before quiet hours: it would arrive within them.
QUIET_MARGIN = timedelta(seconds=60)
#: A job may be so much early: clocks differ.
_EARLY = timedelta(seconds=2)

#: void: the action is for nothing any more; idle: it is somebody else's, or not due;
#: later: it may be at `until`; sent, under_way: so is its message; ends: the enrollment does.
Kind = Literal["void", "idle", "later", "sent", "under_way", "ends"]


class Objection(NamedTuple):
    """Why a message must not be sent now, and what comes of it.

    `status` is that of an enrollment that ends, `trigger` what its transition says; `zone` is
    that by whose clock it is quiet.
    """

    kind: Kind
    because: str
    until: datetime | None = None
    status: str = ""
    trigger: str = ""
    zone: str = ""


def objection(errand: Errand, now: datetime) -> Objection | None:
    """Return what speaks against sending, or None.  Raises what the stores raise."""
    found = of_state(errand, now) or _of_message(errand)
    return found or of_recipient(errand, now)


def last_objection(errand: Errand, now: datetime) -> Objection | None:
    """Return what speaks against handing over a message that was claimed, or None."""
    return of_state(errand, now) or of_recipient(errand, now)


def of_state(errand: Errand, now: datetime) -> Objection | None:
    """Return what speaks against it as action, enrollment, campaign, tenant and sender are."""
    for look in (_of_action, _of_enrollment, _of_pauses, _of_sender):
        found = look(errand, now)
        if found:
            return found
    return None


def of_recipient(errand: Errand, now: datetime) -> Objection | None:
    """Return what speaks against writing to the contact now."""
    if not errand.address:
        why = f"the contact has no address for {errand.action['channel']}"
        return Objection("ends", why, status="error", trigger="error")
    allowed = quiet_hours.next_allowed(now, errand.zone, errand.plan.quiet, margin=QUIET_MARGIN)
    if allowed > now:
        why = f"quiet hours in {errand.zone} end then"
        return Objection("later", why, allowed, zone=errand.zone)
    tenant_id, channel = errand.action["tenant_id"], errand.action["channel"]
    reason = suppressions.why_suppressed(tenant_id, channel, errand.address)
    if reason:
        why = f"the address is suppressed: {reason}"
        return Objection("ends", why, status="stopped", trigger="suppressed")
    return None


def _of_action(errand: Errand, now: datetime) -> Objection | None:
    action = errand.action
    if action["status"] not in ACTION_OPEN:
        return Objection("idle", f"the action is {action['status']}")
    if action["due_at"] > now + _EARLY:
        # What is queued was put off by others while this job was made.
        kind: Kind = "later" if action["status"] == "queued" else "idle"
        return Objection(kind, action.get("because") or "it is not due yet", action["due_at"])
    return None


def _of_enrollment(errand: Errand, _: datetime) -> Objection | None:
    action, enrollment = errand.action, errand.enrollment
    same = ("state_version", "node_id")
    is_there = all(enrollment.get(name) == action[name] for name in same)
    if enrollment.get("status") != "active" or not is_there:
        return Objection("void", "the contact is not there any more, or may not go on")
    return None


def _of_pauses(errand: Errand, now: datetime) -> Objection | None:
    status = errand.campaign.get("status")
    if status in (None, "stopped"):
        return Objection("void", "its campaign is stopped")
    if status != "active":
        return Objection("later", f"its campaign is {status}", now + LOOK_AGAIN)
    if errand.tenant.get("outreach_paused"):
        return Objection("later", "all campaigns of its tenant are paused", now + LOOK_AGAIN)
    return None


def _of_sender(errand: Errand, now: datetime) -> Objection | None:
    sender = errand.sender
    if not sender:
        return Objection("later", "it has no sender", now + LOOK_AGAIN)
    if sender["status"] != "verified":
        return Objection("later", f"its sender is {sender['status']}", now + LOOK_AGAIN)
    if sender.get("is_paused"):
        return Objection("later", "its sender is paused", now + LOOK_AGAIN)
    hold_until = sender.get("hold_until")
    if hold_until and hold_until > now:
        return Objection("later", "the provider has asked its sender to wait", hold_until)
    return None


def _of_message(errand: Errand) -> Objection | None:
    return _OF_MESSAGE.get(errand.message.get("state", ""), _nothing)(errand)


def _nothing(_: Errand) -> Objection | None:
    return None


def _failed(errand: Errand) -> Objection:
    why = str(errand.message.get("error") or "it could not be sent")
    return Objection("ends", why, status="error", trigger="error")


_OF_MESSAGE: dict[str, Callable[[Errand], Objection | None]] = {
    "sent": lambda _: Objection("sent", "this message was sent to the contact before"),
    "sending": lambda _: Objection("idle", "somebody else has claimed it"),
    "unknown": lambda _: Objection("under_way", "it is not known whether it was sent"),
    "failed": _failed,
}
