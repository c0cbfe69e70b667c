"""Identifiers that look like Google's, drawn from a caller's random generator."""

from base64 import b32hexencode, urlsafe_b64encode
from datetime import datetime
from random import Random

_GMAIL_RANDOM_BITS = 20
_TASK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def event_id(random: Random) -> str:
    """An event id in base32hex (a-v, 0-9), 26 characters.

    Rule: https://developers.google.com/workspace/calendar/api/v3/reference/events#id
    """
    return b32hexencode(random.randbytes(16)).decode("ascii").rstrip("=").lower()


def secondary_calendar_id(random: Random) -> str:
    """The id of a calendar that its owner made besides the primary one."""
    return f"c_{random.randbytes(32).hex()}@group.calendar.google.com"


def message_id(random: Random, sent_at: datetime) -> str:
    """A Gmail message id: 16 hexadecimal digits that grow with the time, as real ones do."""
    milliseconds = int(sent_at.timestamp() * 1000)
    return f"{milliseconds << _GMAIL_RANDOM_BITS | random.getrandbits(_GMAIL_RANDOM_BITS):016x}"


def contact_number(random: Random) -> str:
    """The digits of a contact's id, as in `people/c4123456789012345678`."""
    return str(random.randrange(10**18, 9 * 10**18))


def task_list_id(random: Random) -> str:
    """A task list id: base64 of three numbers joined by colons."""
    text = f"{random.randrange(10**19, 10**20)}:0:0"
    return urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def task_id(random: Random) -> str:
    """A task id: base64 of 16 characters of text."""
    text = "".join(random.choices(_TASK_ALPHABET, k=16))
    return urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")
