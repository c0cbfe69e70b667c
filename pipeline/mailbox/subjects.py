"""Subjects without what differs from mail to mail, so that alike ones are equal."""

from __future__ import annotations

import re

_PREFIX = re.compile(
    r"^\s*(?:(?:re|fwd?|aw|wg|sv|vs|tr|antw)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_AMOUNT = r"\d+(?:[.,' ]\d+)*"
_CURRENCY = r"(?:[$€£¥]|\b(?:usd|eur|gbp|chf|jpy)\b)"
#: What is replaced by what, in this order: a date is no number, nor is an amount of money.
_TOKENS = tuple(
    (re.compile(pattern, re.IGNORECASE), f"<{token}>")
    for pattern, token in (
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "id"),
        (rf"{_CURRENCY}\s*{_AMOUNT}|{_AMOUNT}\s*{_CURRENCY}", "money"),
        (r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b", "date"),
        (rf"\b\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:{_MONTHS})\b\.?(?:,?\s+\d{{4}}\b)?", "date"),
        (rf"\b(?:{_MONTHS})\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}}\b)?", "date"),
        (rf"\b(?:{_MONTHS})\b\.?,?\s+\d{{4}}\b", "date"),
        (r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]m\b)?", "time"),
        (r"\b(?=[0-9a-z_-]*\d)(?=[0-9a-z_-]*[a-z])[0-9a-z_-]{6,}\b", "id"),
        (_AMOUNT, "number"),
    )
)
_SPACES = re.compile(r"\s+")


def normalized(subject: str) -> str:
    """Return `subject` in lower case, with <number>, <date>, <time>, <money> and <id> for
    such, and without the Re: and Fwd: before it.

    What is normalized already stays as it is.
    """
    text = _SPACES.sub(" ", subject).strip().lower()
    text = _PREFIX.sub("", text)
    for pattern, token in _TOKENS:
        text = pattern.sub(token, text)
    return _SPACES.sub(" ", text).strip()
