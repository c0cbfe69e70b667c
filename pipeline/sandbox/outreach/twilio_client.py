"""What a customer sets up at Twilio, over its API."""

from __future__ import annotations

import requests

from pipeline.sandbox.outreach import TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_NUMBER

_SECONDS = 10


def have_number(base_url: str, number: str = TWILIO_NUMBER, *, sms_url: str = "") -> None:
    """Have a number in the sandbox's account, which tells `sms_url` of messages to it."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no business with a local server
        session.post(
            f"{base_url}/2010-04-01/Accounts/{TWILIO_ACCOUNT_SID}/IncomingPhoneNumbers.json",
            data={"PhoneNumber": number, "SmsUrl": sms_url},
            auth=(TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN),
            timeout=_SECONDS,
        ).raise_for_status()
