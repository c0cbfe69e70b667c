"""Those from whom a person gets mail, how often, and what the person makes a habit of."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from pipeline.sandbox.microsoft.life.behaviour import Behaviour, Deed

Kind = Literal["newsletter", "supplier", "service", "shop", "colleague", "stranger"]
HabitKind = Literal["delete", "mark_read", "move", "archive"]

#: The habit that a deed makes when it is done with nearly all of a sender's mail.
HABIT_OF: dict[Deed, HabitKind] = {
    Deed.DELETE: "delete",
    Deed.READ: "mark_read",
    Deed.MOVE: "move",
    Deed.ARCHIVE: "archive",
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a sender writes: on average so often a day, or one mail every so many days."""

    per_day: float = 0.0
    every_days: int = 0

    def mails_on(self, day: int, random: Random) -> int:
        """How many mails come on a day (its proleptic ordinal).

        As even as the rate allows, since newsletters and invoices come by the calendar.
        """
        if self.every_days:
            return int(day % self.every_days == 0)
        whole = int(self.per_day)
        return whole + (random.random() < self.per_day - whole)


@dataclass(frozen=True, slots=True)
class Habit:
    """What a person does with a sender's mail as a rule; a `folder` only for moves."""

    kind: HabitKind
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Correspondent:
    """A sender.  `habit` is what should be found out; None if there is nothing to be found."""

    email: str
    name: str
    kind: Kind
    rhythm: Rhythm
    behaviour: Behaviour = field(default_factory=Behaviour)
    habit: Habit | None = None
