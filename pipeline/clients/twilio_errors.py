"""What Twilio's refusals mean.  https://www.twilio.com/docs/api/errors

Twilio makes new codes out of old ones now and then, so a code that is not known here is judged
by its status: refused for good, but nothing is held against the number.
"""

from __future__ import annotations

import requests

from pipeline.clients import outreach_http
from pipeline.clients.outreach_http import Request
from pipeline.clients.sending_errors import NotTaken, Refused
from pipeline.errors import HeadraceError, Misconfigured, RateLimited

#: The recipient has answered STOP to this sender.
OPTED_OUT = 21610
#: The recipient's number is none, or takes no SMS.
BAD_NUMBER = frozenset((21211, 21214, 21217, 21265, 21266, 21407, 21421, 21614, 21635))
#: The sender's number is not the account's, or sends no SMS.
BAD_SENDER = frozenset((21212, 21603, 21606, 21659, 21660, 21661))
#: Refused because of this recipient, though the status is that of a bad key.
_OF_RECIPIENT = frozenset((21408, 21608))
#: Not taken because too much waits already, and after how many seconds to try again.
BUSY = {14107: 5.0, 20429: 30.0, 21611: 60.0, 30001: 60.0, 63038: 3600.0}


def refusal(request: Request, answer: requests.Response) -> HeadraceError | None:
    """Return what an answer means that is an error; None for a good one."""
    code = _code(answer)
    if code in BUSY and answer.status_code < 500:
        asked = outreach_http.wait_seconds(answer, usual=BUSY[code])
        return RateLimited(_text(request, answer, code), retry_after_seconds=asked)
    general = outreach_http.refused_in_general(request, answer)
    if general is not None or answer.status_code < 400:
        return general
    return _meaning(answer.status_code, code, _text(request, answer, code))


def _meaning(status: int, code: int | None, text: str) -> HeadraceError:
    if code is None:
        return NotTaken(f"{text} without a code")  # so it is not Twilio that speaks
    if code == OPTED_OUT:
        return Refused(f"{text}: the recipient has opted out", is_opt_out=True)
    if code in BAD_NUMBER:
        return Refused(f"{text}: the number takes no SMS", is_address=True)
    if code in BAD_SENDER:
        return Misconfigured(f"{text}: the account cannot send from this number")
    if status in (401, 403, 404) and code not in _OF_RECIPIENT:
        return Misconfigured(f"{text}: account sid or auth token are not accepted")
    return Refused(text)


def _text(request: Request, answer: requests.Response, code: int | None) -> str:
    named = f" ({code})" if code is not None else ""
    return f"{request} was answered {answer.status_code}{named}"


def _code(answer: requests.Response) -> int | None:
    body = outreach_http.json_of(answer) if answer.status_code >= 400 else None
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else None
