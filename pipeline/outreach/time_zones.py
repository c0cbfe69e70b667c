"""Names of time zones that somebody typed."""

from __future__ import annotations

from functools import cache, lru_cache
from zoneinfo import available_timezones

from pipeline.refusals import Refused
from pipeline.words import suggestion

#: Names that stand for whatever the machine is set to, or for nothing.
_NO_PLACES = {"localtime", "Factory", "posixrules"}


def zone(name: str, field: str = "time_zone") -> str:
    """Return `name` if it is an IANA time zone, such as Europe/Berlin.  Raises Refused."""
    if name not in _known():
        raise Refused(field, f"there is no such time zone{_hint(name)}")
    return name


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_PLACES)


@lru_cache(maxsize=1024)
def _hint(name: str) -> str:
    """Return what may have been meant; files repeat their mistakes, and to look takes a while."""
    return suggestion(name, _known()) or "; expected a name such as 'Europe/Berlin'"
