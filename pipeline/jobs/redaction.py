"""What a person sees of the arguments of a job, who need not see what they are about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.jobs.entries import Entry, printable
from pipeline.queues import JOBS

_ADDRESS = re.compile(r"([^\s@<>\",;:]{1,64})@[\w.-]+")
#: Arguments that say which, not what, beside those whose names end in _id.
_IDENTITIES = ("source",)


def arguments_of(entry: Entry, *, reveal: bool = False) -> dict[str, Any]:
    """Return the arguments of a job by name, as they may be shown.

    Ids and sources are shown as they are, except that mail addresses are masked; of anything
    else only its size.  `reveal` shows all.  Empty if the arguments cannot be read.
    """
    values = entry.arguments or ()
    names = _names(entry.job, len(values))
    return {
        name: value if reveal else _shown(name, value)
        for name, value in zip(names, values, strict=True)
    }


def _names(job: str, count: int) -> Sequence[str]:
    declared = JOBS[job].arguments if job in JOBS else ()
    if len(declared) == count:
        return declared
    return [f"argument {number}" for number in range(1, count + 1)]


def _shown(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name.endswith("_id") or name in _IDENTITIES:
        return masked(printable(str(value)))
    if isinstance(value, str):
        return f"({len(value)} characters)"
    return "(a number)" if isinstance(value, int | float) else "(hidden)"


def masked(text: str) -> str:
    """Return `text` with what looks like a mail address cut to "a…@…"."""
    return _ADDRESS.sub(lambda found: f"{found[1][0]}…@…", text)
