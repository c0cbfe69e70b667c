"""What the body of a request is, by where it goes: JSON and short, but for plans and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expected:
    """What a body is sent as, and how long it may be."""

    media_type: str
    most_bytes: int

    def is_sent_as(self, content_type: str) -> bool:
        """Return whether the header Content-Type names this kind."""
        return content_type.partition(";")[0].strip().lower() == self.media_type


USUAL = Expected("application/json", 64 * 1024)
#: A plan of 4 MB, as plans are stored, and room for another way to write it.
PLAN = Expected("application/json", 5 * 2**20)
#: Contacts: what is longer is for `headrace outreach contacts import`, or comes in parts.
CONTACTS = Expected("text/csv", 10 * 2**20)
#: The longest text of AI, in characters that JSON escapes with six bytes each.
AI_TEXT = Expected("application/json", 2**20)
_OUTREACH = r"/tenants/[^/]+/outreach"
_OTHERS = (
    (re.compile(f"{_OUTREACH}/contact-imports"), CONTACTS),
    (re.compile(f"{_OUTREACH}/(plan-checks|campaigns/[^/]+/plans)"), PLAN),
    (re.compile("/ai/requests"), AI_TEXT),
)


def expected(scope: Mapping[str, Any]) -> Expected:
    """Return what the body of a request is to be."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return next((body for pattern, body in _OTHERS if pattern.fullmatch(path)), USUAL)
