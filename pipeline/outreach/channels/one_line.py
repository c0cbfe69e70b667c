"""Text that stays in the header it is put into."""

from __future__ import annotations

import re

#: All that any program may take for the end of a line, and what no header may hold.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return `text` with a space in place of each run of line breaks and control characters."""
    return _BREAKS.sub(" ", text).strip()
