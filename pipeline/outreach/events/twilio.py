"""What Twilio tells: what became of an SMS, and what somebody has sent to a sender's number.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pipeline.outreach.events.told import Told

_PROVIDER = "twilio"
#: Codes after which a number takes nothing any more: unknown, a landline; 30003 is a telephone
#: that is switched off.
#: https://www.twilio.com/docs/api/errors
_HARD = {"30005": "bounced", "30006": "bounced", "21610": "unsubscribed"}
_FAILED = ("undelivered", "failed")
#: https://help.twilio.com/articles/223134027
_STOP = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT"}
)
_START = frozenset({"START", "UNSTOP"})
#: Takes an earlier STOP back; else it is an answer like any other.
_YES = "YES"
#: What Twilio took a message for, by words of an account's own: in other languages, too.
#: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
_TAKEN_FOR = {"STOP": "unsubscribed", "START": "resubscribed"}
_CODE = re.compile(r"\d{1,6}")
_SID = re.compile(r"[A-Za-z0-9]{1,64}")


def form_of(raw: bytes) -> dict[str, str]:
    """Return the fields of a form; of several with one name the last."""
    return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


def status(form: Mapping[str, str], message_id: str, at: datetime) -> Told | None:
    """Return what a status callback tells, which has no time of its own; None: it has no sid."""
    sid, said = form.get("MessageSid", ""), form.get("MessageStatus", "").lower()
    if not _SID.fullmatch(sid):
        return None
    about: dict[str, Any] = {"type": ""}
    if said == "delivered":
        about = {"type": "delivered"}
    elif said in _FAILED:
        about = _failed(form.get("ErrorCode", ""))
    known = about["type"] or "taken"
    return Told(
        id=f"{_PROVIDER}:{sid}:{known}",
        provider=_PROVIDER,
        occurred_at=at,
        message_id=message_id,
        provider_id=sid,
        **about,
    )


def inbound(form: Mapping[str, str], message_id: str, at: datetime, stopped: bool) -> Told | None:
    """Return what a message to a sender's number says of the last one that it was sent.

    `stopped`: the number has asked for no more before.  None if it has no sid.
    """
    sid = form.get("MessageSid", "")
    if not _SID.fullmatch(sid):
        return None
    about = meaning(form, stopped)
    suppress = about if about == "unsubscribed" else ""
    return Told(
        id=f"{_PROVIDER}:{sid}",
        provider=_PROVIDER,
        type=about,
        occurred_at=at,
        message_id=message_id,
        suppress=suppress,
    )


def meaning(form: Mapping[str, str], stopped: bool) -> str:
    """Return the type of event that a message is: `unsubscribed`, `resubscribed` or `replied`."""
    taken_for = _TAKEN_FOR.get(form.get("OptOutType", "").upper())
    if taken_for:
        return taken_for
    word = form.get("Body", "").strip().strip(".!\"'").upper()
    if word in _STOP:
        return "unsubscribed"
    if word in _START or (stopped and word == _YES):
        return "resubscribed"
    return "replied"


def _failed(code: str) -> dict[str, Any]:
    reason = _HARD.get(code, "")
    data = {"class": "hard" if reason else "soft"}
    if _CODE.fullmatch(code):
        data["code"] = code
    return {"type": "bounced", "data": data, "suppress": reason}
