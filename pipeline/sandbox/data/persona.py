"""One user as the generators see them: who they are, whom they know, what the time is."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from pipeline.sandbox.data.people import Person, population
from pipeline.sandbox.data.phrases import TIME_ZONES, Phrases, phrases

_CIRCLE_SIZE = 90


@dataclass(frozen=True, slots=True)
class Persona:
    """A user, with everything that the data of their four sources has in common."""

    seed: int
    user: str
    email: str
    display_name: str
    time_zone: str
    circle: tuple[Person, ...]
    phrases: Phrases
    now: datetime

    def random(self, part: str) -> Random:
        """A generator of its own for each part, so that parts do not disturb one another."""
        return Random(f"{self.seed}/{self.user}/{part}")

    def acquaintance(self, random: Random) -> Person:
        """Somebody from the circle; a few people come up much more often than the rest."""
        return self.circle[int(len(self.circle) * random.random() ** 2)]


def display_name_of(email: str) -> str:
    """A name to show for an address: `ada.lovelace@x.example` becomes `Ada Lovelace`."""
    mailbox = email.partition("@")[0]
    words = mailbox.replace("_", ".").replace("-", ".").replace("+", ".").split(".")
    return " ".join(word.capitalize() for word in words if word) or mailbox


def persona(seed: int, user: str, email: str, now: datetime) -> Persona:
    """Set up a user.  `now` must be aware; it is the only clock that generators see."""
    if now.tzinfo is None:
        raise ValueError("now must carry a time zone")
    return Persona(
        seed=seed,
        user=user,
        email=email,
        display_name=display_name_of(email),
        time_zone=Random(f"{seed}/{user}/zone").choice(TIME_ZONES),
        circle=population(seed).circle(user, _CIRCLE_SIZE),
        phrases=phrases(seed),
        now=now,
    )
