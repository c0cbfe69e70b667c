"""Fingerprints: dead letters of the same cause have the same one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice

#: So many calls of our own code, from the innermost outwards, tell where it failed.
FRAMES = 3
_DIGEST_BYTES = 6

#: A call in a traceback (jobs/failure.py).  Line numbers are left out: every release moves them.
_FRAME = re.compile(r"^ {2}(?P<file>\S.*):\d+ in (?P<function>\S+)$", re.MULTILINE)
#: What stands between an error and the one that it led to, which is the one that is told.
_LED_TO = "\ncaused "
#: The part of a file's path that is the same wherever Headrace is installed.
_OUR_FILE = re.compile(r".*(?:^|/)((?:actors|pipeline|models)/.+)$")
_LIBRARY = re.compile(r".*/(?:site-packages|lib/python[\d.]+)/(.+)$")

#: What differs between two failures of one cause, each replaced by a question mark.
_VARYING = (
    re.compile(r"(?<!\w)(['\"`]).*?\1(?!\w)"),  # quoted values, but not apostrophes
    re.compile(r"\w+://\S+"),
    re.compile(r"\S+@\S+"),
    re.compile(r"[\w.:+/=-]*\d[\w.:+/=-]*"),  # numbers, times, ids
    re.compile(r"\b[0-9a-fA-F]{8,}\b"),
)
_MARKS = re.compile(r"\?(?:[\s,]*\?)+")


def fingerprint(
    job: str,
    error_class: str,
    reason: str,
    *,
    traceback: str = "",
    message: str = "",
    values: Iterable[str] = (),
) -> str:
    """Return 12 hex digits that are the same for failures of the same cause.

    Where there is a traceback, the cause is the place in our code; else it is
    the message without what varies, such as numbers, ids and the job's own
    argument `values`.
    """
    cause = places(traceback) or [normalized(message, values)]
    identity = json.dumps([job, error_class, reason, cause])
    return blake2b(identity.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def places(traceback: str) -> list[str]:
    """Return the innermost calls of our own code as "file:function", innermost first.

    Those of libraries stand in where none of ours is in the traceback.
    """
    last = traceback.rpartition(_LED_TO)[2]
    calls = [(frame["file"], frame["function"]) for frame in _FRAME.finditer(last)]
    ours = [(file[1], function) for path, function in calls if (file := _OUR_FILE.match(path))]
    found = ours or [(_without_root(path), function) for path, function in calls]
    return [f"{file}:{function}" for file, function in islice(reversed(found), FRAMES)]


def _without_root(path: str) -> str:
    inside = _LIBRARY.match(path)
    return inside[1] if inside else path.rpartition("/")[2]


def normalized(message: str, values: Iterable[str] = ()) -> str:
    """Return `message` without what varies from one failure to the next."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "?", message)
    for varying in _VARYING:
        message = varying.sub("?", message)
    return _MARKS.sub("?", " ".join(message.split()))
