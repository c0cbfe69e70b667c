"""What Twilio refuses to send, in its own words and codes.

https://www.twilio.com/docs/api/errors; numbers that behave in a certain way are those of Twilio's
own test credentials: https://www.twilio.com/docs/iam/test-credentials
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline.sandbox.calls import ApiError
from pipeline.sandbox.outreach.twilio_rows import TwilioRows

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_LONGEST = 1600
#: Recipients by how Twilio answers.
INVALID_TO = "+15005550001"
NO_ROUTE_TO = "+15005550002"
NO_PERMISSION_TO = "+15005550003"
OPTED_OUT_TO = "+15005550004"
NO_SMS_TO = "+15005550009"
#: Senders by how Twilio answers.
INVALID_FROM = "+15005550001"
FULL_QUEUE_FROM = "+15005550008"
_TO = {
    INVALID_TO: (21211, "Invalid 'To' Phone Number"),
    NO_ROUTE_TO: (21612, "Message cannot be sent with the current combination of 'To' and 'From'"),
    NO_PERMISSION_TO: (21408, "Permission to send an SMS has not been enabled for the region"),
    OPTED_OUT_TO: (21610, "Attempt to send to unsubscribed recipient"),
    NO_SMS_TO: (21614, "'To' number is not a valid mobile number"),
}


def refused(code: int, message: str, status: int = 400) -> ApiError:
    return ApiError(status, str(code), message)


def check(form: Mapping[str, str], rows: TwilioRows) -> None:
    """Raises ApiError for a message that Twilio would not take."""
    to, sender = form.get("To", ""), form.get("From", "")
    if not to:
        raise refused(21604, "A 'To' phone number is required.")
    if not sender:
        raise refused(21603, "A 'From' phone number is required.")
    _check_body(form.get("Body", ""))
    _check_sender(sender, rows)
    if not _E164.fullmatch(to):
        raise refused(21211, f"Invalid 'To' Phone Number: {to}")
    if to == sender:
        raise refused(21266, "'To' and 'From' number cannot be the same")
    if to in _TO:
        raise refused(*_TO[to])
    if rows.has_opted_out(to, sender):
        raise refused(*_TO[OPTED_OUT_TO])
    callback = form.get("StatusCallback", "")
    if callback and urlsplit(callback).scheme not in ("http", "https"):
        raise refused(21609, f"The 'StatusCallback' URL {callback} is not a valid URL.")


def _check_body(body: str) -> None:
    if not body:
        raise refused(21602, "Message body is required.")
    if len(body) > _LONGEST:
        raise refused(21617, "The concatenated message body exceeds the 1600 character limit")


def _check_sender(sender: str, rows: TwilioRows) -> None:
    if sender == INVALID_FROM or not _E164.fullmatch(sender):
        raise refused(21212, f"The 'From' number {sender} is not a valid phone number")
    if sender == FULL_QUEUE_FROM:
        raise refused(21611, f"'From' number {sender} has exceeded its message queue", 429)
    owned = rows.number(sender)
    if owned is None or not owned["capabilities"]["sms"]:
        raise refused(
            21606,
            f"The 'From' phone number provided ({sender}) is not a valid message-capable Twilio"
            " phone number for this destination.",
        )
