"""Who recipients are: what becomes of a message to them, and what they do with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from pipeline.sandbox.database import Database
from pipeline.sandbox.fields import Fields, refuse


class Arrival(StrEnum):
    """What becomes of a message that a provider has accepted."""

    DELIVERED = "delivered"
    #: The address does not exist: a hard bounce, 5.1.1.
    BOUNCED = "bounced"
    #: The recipient's server wants nothing from this sender now: a soft bounce.
    BLOCKED = "blocked"
    #: The recipient's server asks to try later, `deferrals` times; then it is delivered.
    DEFERRED = "deferred"
    #: The provider does not even try.
    DROPPED = "dropped"


class Act(StrEnum):
    """What a recipient does with a message."""

    OPEN = "open"
    #: The recipient's mail provider loads the images, before anybody reads.
    MACHINE_OPEN = "machine_open"
    CLICK = "click"
    REPLY = "reply"
    #: By one click in the mail program: a POST to the List-Unsubscribe address (RFC 8058).
    UNSUBSCRIBE = "unsubscribe"
    #: By the sending provider's own link or keyword.
    PROVIDER_UNSUBSCRIBE = "provider_unsubscribe"
    GROUP_UNSUBSCRIBE = "group_unsubscribe"
    GROUP_RESUBSCRIBE = "group_resubscribe"
    SPAM = "spam"
    #: The recipient's server took the message, and sends it back after all.
    LATE_BOUNCE = "late_bounce"


@dataclass(frozen=True)
class Habits:
    """What an address does with each message; seconds count from its delivery, None is never.

    A `clicks_link` is the number of a link in the message, from 0, those for unsubscribing not
    counted.  `deferred_seconds` is how long it takes from one attempt to deliver to the next.
    """

    arrival: str = Arrival.DELIVERED
    delivered_after: float = 0.0
    deferrals: int = 1
    deferred_seconds: float = 1.0
    opens_after: float | None = None
    machine_opens_after: float | None = None
    clicks_after: float | None = None
    clicks_link: int = 0
    replies_after: float | None = None
    reply_text: str = "Thank you, tell me more."
    unsubscribes_after: float | None = None
    unsubscribes_by: str = Act.UNSUBSCRIBE
    reports_spam_after: float | None = None

    @property
    def acts(self) -> list[tuple[float, Act, dict[str, Any]]]:
        """(seconds after delivery, what, how) of all that follows."""
        planned: list[tuple[float | None, Act, dict[str, Any]]] = [
            (self.machine_opens_after, Act.MACHINE_OPEN, {}),
            (self.opens_after, Act.OPEN, {}),
            (self.clicks_after, Act.CLICK, {"link": self.clicks_link}),
            (self.replies_after, Act.REPLY, {"text": self.reply_text}),
            (self.unsubscribes_after, Act(self.unsubscribes_by), {}),
            (self.reports_spam_after, Act.SPAM, {}),
        ]
        return [(after, act, how) for after, act, how in planned if after is not None]


_SECONDS = tuple(field.name for field in fields(Habits) if "float" in str(field.type))
_WHOLE = ("deferrals", "clicks_link")


def habits_given(values: Mapping[str, Any]) -> Habits:
    """Check habits that control was given.  Raises BadField."""
    named = {name: value for name, value in values.items() if value is not None}
    given = Fields(named, [field.name for field in fields(Habits)], "habits.")
    for name in named:
        if name in _SECONDS and given.number(name) < 0:
            refuse(f"habits.{name}", "must not be negative")
        if name in _WHOLE:
            given.whole(name, lowest=0)
    if given.has("arrival"):
        given.choice("arrival", [arrival.value for arrival in Arrival])
    if given.has("unsubscribes_by"):
        given.choice("unsubscribes_by", (Act.UNSUBSCRIBE, Act.PROVIDER_UNSUBSCRIBE))
    if given.has("reply_text"):
        given.text("reply_text")
    return Habits(**named)


class Recipients:
    """The habits of addresses, kept in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, address: str, habits: Habits) -> None:
        """Give an address these habits; one with * or ? in it is for all that fit."""
        is_pattern = "*" in address or "?" in address
        self._database.run(
            "INSERT OR REPLACE INTO recipients (address, is_pattern, habits) VALUES (?, ?, ?)",
            *(address.lower(), int(is_pattern), json.dumps(asdict(habits))),
        )

    def habits(self, address: str) -> Habits:
        """The habits of an address: its own, else those of the newest pattern that fits."""
        address = address.lower()
        own = self._database.row("SELECT habits FROM recipients WHERE address = ?", address)
        if own is None:
            own = next((row[1:] for row in self._patterns() if fnmatchcase(address, row[0])), None)
        return Habits() if own is None else Habits(**json.loads(own[0]))

    def _patterns(self) -> list[tuple[Any, ...]]:
        sql = "SELECT address, habits FROM recipients WHERE is_pattern = 1 ORDER BY n DESC"
        return self._database.rows(sql)

    def listed(self) -> list[dict[str, Any]]:
        rows = self._database.rows("SELECT address, habits FROM recipients ORDER BY n")
        return [{"address": address, **json.loads(habits)} for address, habits in rows]

    def clear(self) -> None:
        self._database.run("DELETE FROM recipients")
