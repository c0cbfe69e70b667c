"""The part of Gmail's search language that the sandbox knows; the rest is refused, not ignored.

https://developers.google.com/workspace/gmail/api/guides/filtering
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from pipeline.sandbox.calls import invalid
from pipeline.sandbox.clock import epoch_ms

_WORD = re.compile(r"""(\w+):("[^"]*"|\S+)""")
_DAY_MS = 86_400_000
_AGE_DAYS = {"d": 1, "m": 30, "y": 365}
#: Dates in a query mean midnight there, whatever the user's own zone is.
_QUERY_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass
class MailQuery:
    """A parsed search: dates as epoch milliseconds, labels by id or name, senders in lower case."""

    after_ms: int | None = None
    before_ms: int | None = None
    labels: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    anywhere: bool = False

    def no_earlier_than(self, at_ms: int) -> None:
        self.after_ms = at_ms if self.after_ms is None else max(self.after_ms, at_ms)

    def earlier_than(self, at_ms: int) -> None:
        self.before_ms = at_ms if self.before_ms is None else min(self.before_ms, at_ms)


def parse_query(text: str, now_ms: int) -> MailQuery:
    """Every term must hold.  Raises 400 for a term that is not `after:`, `before:`,
    `newer_than:`, `older_than:`, `label:`, `in:`, `is:` or `from:`."""
    query = MailQuery()
    left = text
    for name, quoted in _WORD.findall(text):
        apply = _TERMS.get(name.lower())
        if apply is None:
            raise _unknown(f"{name}:")
        apply(query, quoted.strip('"'), now_ms)
        left = left.replace(f"{name}:{quoted}", "", 1)
    if left.strip():
        raise _unknown(left.strip())
    return query


def _unknown(term: str) -> Exception:
    return invalid(f"The sandbox does not know the search term {term!r}.", "invalidArgument")


def _moment_ms(value: str) -> int:
    """Epoch seconds, or a date as yyyy/mm/dd."""
    if value.isdecimal():
        return int(value) * 1000
    for pattern in ("%Y/%m/%d", "%Y-%m-%d"):
        try:
            day = datetime.strptime(value, pattern).replace(tzinfo=_QUERY_ZONE)
        except ValueError:
            continue
        return epoch_ms(day)
    raise _unknown(value)


def _age_ms(value: str) -> int:
    if not value[:-1].isdecimal() or value[-1] not in _AGE_DAYS:
        raise _unknown(value)
    return int(value[:-1]) * _AGE_DAYS[value[-1]] * _DAY_MS


def _after(query: MailQuery, value: str, _: int) -> None:
    query.no_earlier_than(_moment_ms(value))


def _before(query: MailQuery, value: str, _: int) -> None:
    query.earlier_than(_moment_ms(value))


def _newer_than(query: MailQuery, value: str, now_ms: int) -> None:
    query.no_earlier_than(now_ms - _age_ms(value))


def _older_than(query: MailQuery, value: str, now_ms: int) -> None:
    query.earlier_than(now_ms - _age_ms(value))


def _label(query: MailQuery, value: str, _: int) -> None:
    query.labels.append(value)


def _in(query: MailQuery, value: str, _: int) -> None:
    if value == "anywhere":
        query.anywhere = True
    elif value in {"trash", "spam", "inbox", "sent", "drafts"}:
        query.labels.append("DRAFT" if value == "drafts" else value.upper())
    else:
        raise _unknown(f"in:{value}")


def _is(query: MailQuery, value: str, _: int) -> None:
    if value not in {"unread", "starred", "important"}:
        raise _unknown(f"is:{value}")
    query.labels.append(value.upper())


def _from(query: MailQuery, value: str, _: int) -> None:
    query.senders.append(value.casefold())


_TERMS: dict[str, Callable[[MailQuery, str, int], None]] = {
    "after": _after,
    "newer": _after,
    "before": _before,
    "older": _before,
    "newer_than": _newer_than,
    "older_than": _older_than,
    "label": _label,
    "in": _in,
    "is": _is,
    "from": _from,
}
