"""The header by which providers say how long to leave them alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_of_header(value: str) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 if neither.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    aware = moment.replace(tzinfo=moment.tzinfo or UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
