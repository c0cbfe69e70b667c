"""Provider quotas as data.

Google also limits how many calls of one user run at the same time.  One sync per
user and source makes them one after the other, so that is the size of a batch.
Microsoft lets four run at a time per mailbox: see pipeline.clients.microsoft.

Google's numbers are those of a Google Cloud project made since May 2026.  Google also
names a daily amount per project (Calendar 1,000,000 requests, Gmail 80,000,000
units) above which it may charge; it refuses nothing there, so neither do we.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pipeline.config import settings

#: Who runs out: one user, the whole project within a minute, or the project's day.
LevelName = Literal["user", "project", "day"]
LEVEL_NAMES: tuple[LevelName, ...] = get_args(LevelName)

#: The ledger counts a window in so many slots: two seconds of a minute.
WINDOW_SLOTS = 30
#: Slots whose units count as used: a window's; one because a call reaches the provider
#: up to a slot after it was charged; and the present one, which has only begun.
COUNTED_SLOTS = WINDOW_SLOTS + 2

_MINUTE = 60.0
_TEN_MINUTES = 600.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Level:
    """`limit_units` in any `window_seconds`, for one user or for the project.

    Of a minute all that is allowed may be taken at once, as the provider lets us,
    and comes back 62 to 64 seconds later: asked without end, the ledger gives out
    15/16 of what is allowed.  A day is paced, or its units would be gone by breakfast.
    """

    name: LevelName
    limit_units: float
    window_seconds: float

    @property
    def slot_microseconds(self) -> int:
        """Length of a slot, never so short that those that count miss a bit of the window."""
        return math.ceil(self.window_seconds * 1_000_000 / WINDOW_SLOTS)

    @property
    def allowed_units(self) -> float:
        """Our share of the limit, QUOTA_USE_FRACTION: the most that slots which count may hold."""
        return self.limit_units * settings().quota_use_fraction

    @property
    def units_at_once(self) -> float:
        """What one slot gives out at least: all, or of a paced level an even share."""
        return self.allowed_units / (COUNTED_SLOTS if self.window_seconds >= _DAY else 1)


@dataclass(frozen=True, slots=True)
class Profile:
    """What one API allows.

    `units` are the costs by method; `other_units` is that of any method which
    is not named there, None if there is no such cost.  `batch_calls` is the
    most calls that one batch request may carry, 1 where batches are not used.
    `source` is where the provider publishes the numbers.
    """

    name: str
    version: str
    levels: tuple[Level, ...]
    source: str
    units: Mapping[str, int] = field(default_factory=dict)
    other_units: int | None = 1
    batch_calls: int = 1

    def level(self, name: str) -> Level | None:
        """Return the level called `name`, if this API has one."""
        return next((level for level in self.levels if level.name == name), None)

    def units_of(self, method: str) -> int:
        """Return the cost of one call of `method`.  Raises ValueError if it has none."""
        units = self.units.get(method, self.other_units)
        if units is None:
            raise ValueError(f"quota profile {self.name} ({self.version}) does not know {method}")
        return units

    def batch_of(self, method: str) -> int:
        """Return how many calls of `method` may be charged and sent as one batch, at least 1."""
        at_once = min((level.units_at_once for level in self.levels), default=math.inf)
        return int(max(1, min(at_once // self.units_of(method), self.batch_calls)))


_VERSION = "google-2026-05"

GOOGLE_CALENDAR = Profile(
    name="google-calendar",
    version=_VERSION,
    levels=(Level("user", 600, _MINUTE), Level("project", 10_000, _MINUTE)),
    source="https://developers.google.com/workspace/calendar/api/guides/quota",
    # https://developers.google.com/workspace/calendar/api/guides/batch
    batch_calls=50,
)

GOOGLE_GMAIL = Profile(
    name="google-gmail",
    version=_VERSION,
    levels=(Level("user", 6_000, _MINUTE), Level("project", 1_200_000, _MINUTE)),
    source="https://developers.google.com/workspace/gmail/api/reference/quota",
    units={
        "gmail.users.getProfile": 1,
        "gmail.users.history.list": 2,
        "gmail.users.labels.get": 1,
        "gmail.users.labels.list": 1,
        "gmail.users.messages.attachments.get": 20,
        "gmail.users.messages.batchModify": 50,
        "gmail.users.messages.get": 20,
        "gmail.users.messages.list": 5,
        "gmail.users.messages.modify": 5,
        "gmail.users.messages.send": 100,
        "gmail.users.messages.trash": 20,
        "gmail.users.stop": 50,
        "gmail.users.threads.get": 40,
        "gmail.users.threads.list": 10,
        "gmail.users.watch": 100,
    },
    other_units=None,
    # 100 at most, 50 advised: https://developers.google.com/workspace/gmail/api/guides/batch
    batch_calls=50,
)

GOOGLE_PEOPLE = Profile(
    name="google-people",
    version=_VERSION,
    # Google publishes no numbers and shows them only in a project's console, where 90
    # critical reads per minute and user are usual.  Whatever else there is, is learned.
    levels=(Level("user", 90, _MINUTE),),
    source="https://console.cloud.google.com/apis/api/people.googleapis.com/quotas",
)

GOOGLE_TASKS = Profile(
    name="google-tasks",
    version=_VERSION,
    levels=(Level("day", 50_000, _DAY),),
    source="https://developers.google.com/workspace/tasks/limits",
)

MICROSOFT_MAIL = Profile(
    name="microsoft-mail",
    version="microsoft-2026-05",
    # Per app and mailbox; and per app, whatever it asks for and whoever's it is.
    levels=(Level("user", 10_000, _TEN_MINUTES), Level("project", 130_000, 10.0)),
    source="https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits",
    # https://learn.microsoft.com/graph/json-batching
    batch_calls=20,
)

_BY_API = {
    "calendar": GOOGLE_CALENDAR,
    "gmail": GOOGLE_GMAIL,
    "people": GOOGLE_PEOPLE,
    "tasks": GOOGLE_TASKS,
    "graph": MICROSOFT_MAIL,
}

#: A method of Microsoft Graph begins with it.
_VERB = re.compile(r"[A-Z]+( |$)")

PROFILES: tuple[Profile, ...] = tuple(_BY_API.values())


def profile_of(method: str) -> Profile:
    """Return the profile of a method.

    Google's have names, such as `gmail.users.messages.get`, Microsoft's are verb and
    path, such as `GET /me/messages/{id}`.  Raises ValueError for an API that has none.
    """
    api = "graph" if _VERB.match(method) else method.partition(".")[0]
    if api not in _BY_API:
        raise ValueError(f"no quota profile for {method}; known are {', '.join(_BY_API)}")
    return _BY_API[api]
