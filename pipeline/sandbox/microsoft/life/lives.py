"""A person's mailbox as a way of life: folders, correspondents, habits and what only looks so.

The same seed, user and moment give the same life.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from unicodedata import normalize

from pipeline.sandbox.data.people import Person, population
from pipeline.sandbox.data.persona import display_name_of
from pipeline.sandbox.microsoft.life import behaviour as does
from pipeline.sandbox.microsoft.life import words
from pipeline.sandbox.microsoft.life.behaviour import Behaviour, Way
from pipeline.sandbox.microsoft.life.correspondents import (
    HABIT_OF,
    Correspondent,
    Habit,
    Kind,
    Rhythm,
)

_COLLEAGUES = 12
#: A habit that stopped has been over for so many days when the mailbox is made.
_STOPPED_DAYS = (28, 38)
#: Senders of whom there is too little mail to be sure of anything write this seldom.
_SELDOM = Rhythm(every_days=20)


@dataclass(frozen=True, slots=True)
class Life:
    """One person.  `folders` are paths that the person made, parents before children."""

    seed: int
    user: str
    email: str
    display_name: str
    folders: tuple[str, ...]
    correspondents: tuple[Correspondent, ...]
    colleagues: tuple[Person, ...]

    def random(self, *part: object) -> Random:
        """A generator of its own for each part, so that parts do not disturb one another."""
        return Random("/".join(map(str, (self.seed, self.user, "mail", *part))))

    def habits(self) -> list[tuple[Correspondent, Habit]]:
        return [(sender, sender.habit) for sender in self.correspondents if sender.habit]


def life_of(seed: int, user: str, email: str, made_at: datetime) -> Life:
    """The life of a user whose mailbox was made at `made_at`."""
    random = Random(f"{seed}/{user}/mail/life")
    colleagues = population(seed).circle(user, _COLLEAGUES)
    filing = random.sample(words.FILING_FOLDERS, 3)
    cast = _Cast(random, colleagues, made_at)
    correspondents = (*cast.with_habits(filing), *cast.without_habits(filing))
    return Life(
        seed=seed,
        user=user,
        email=email,
        display_name=display_name_of(email),
        folders=_folders(random, (*filing, *words.UNDECIDED_FOLDERS)),
        correspondents=correspondents,
        colleagues=colleagues,
    )


def _folders(random: Random, needed: Sequence[str]) -> tuple[str, ...]:
    """The needed folders with their parents, and a few trees; one person in four has many."""
    trees = random.randint(4, 7) if random.random() < 0.25 else random.randint(1, 2)
    paths: dict[str, None] = {}
    chosen = (path for tree in random.sample(words.FOLDER_TREES, trees) for path in tree)
    for path in (*needed, *chosen):
        parts = path.split("/")
        paths |= {"/".join(parts[: depth + 1]): None for depth in range(len(parts))}
    return tuple(paths)


class _Cast:
    """Draws a person's correspondents; no name is drawn twice."""

    def __init__(self, random: Random, colleagues: Sequence[Person], made_at: datetime) -> None:
        self._random, self._made_at = random, made_at
        self._names: dict[Kind, list[str]] = {
            "newsletter": self._shuffled(words.NEWSLETTERS),
            "supplier": self._shuffled(words.SUPPLIERS),
            "service": self._shuffled(words.SERVICES),
            "shop": self._shuffled(words.SHOPS),
        }
        self._people = list(colleagues)

    def with_habits(self, folders: Sequence[str]) -> Iterator[Correspondent]:
        """Everybody deletes, files and reads by habit; half of all also archive."""
        for _ in range(self._few()):
            yield self._habitual("newsletter", (1.6, 2.0), does.deletes(1.0))
        for folder in folders[: self._few()]:
            yield self._habitual("supplier", (0.8, 1.1), does.files(0.99, folder))
        for _ in range(self._few()):
            yield self._habitual("colleague", (0.8, 1.1), does.reads_at_once(0.985))
        if self._random.random() < 0.5:
            yield self._habitual("service", (0.8, 1.1), does.archives(0.99))

    def without_habits(self, folders: Sequence[str]) -> Iterator[Correspondent]:
        """What must not be taken for a habit, each for another reason."""
        share = self._random.uniform(0.7, 0.88)
        yield self._drawn("newsletter", (0.5, 0.8), does.deletes(share), does.reads_later(0.1))
        yield self._stopped(folders)
        yield self._drawn("service", (0.4, 0.7), does.reads_later(0.92))
        here, there = words.UNDECIDED_FOLDERS
        yield self._drawn("supplier", (0.5, 0.7), does.files(0.5, here), does.files(0.5, there))
        yield self._drawn("shop", (0.3, 0.6), does.archives(0.55), does.reads_later(0.2))
        yield self._seldom(folders)
        for _ in range(3):
            share = self._random.uniform(0.2, 0.4)
            rest = (does.replies(0.15), does.flags(0.1), does.categorizes(0.08))
            yield self._drawn("colleague", (0.3, 0.5), does.reads_at_once(share), *rest)

    def _stopped(self, folders: Sequence[str]) -> Correspondent:
        """Somebody with whose mail something was always done, until weeks ago."""
        kind, way = self._random.choice(self._kinds_and_ways(folders))
        ends = self._made_at - timedelta(days=self._random.uniform(*_STOPPED_DAYS))
        return self._sender(kind, self._rhythm((0.5, 0.8)), Behaviour((way,), ends))

    def _seldom(self, folders: Sequence[str]) -> Correspondent:
        """Somebody with whose mail something is always done, but there is hardly any."""
        kind, way = self._random.choice(self._kinds_and_ways(folders))
        return self._sender(kind, _SELDOM, Behaviour((way,)))

    def _kinds_and_ways(self, folders: Sequence[str]) -> list[tuple[Kind, Way]]:
        return [
            ("newsletter", does.deletes(1.0)),
            ("supplier", does.files(1.0, folders[0])),
            ("service", does.reads_at_once(1.0)),
        ]

    def _habitual(self, kind: Kind, per_day: tuple[float, float], way: Way) -> Correspondent:
        habit = Habit(HABIT_OF[way.deed], way.folder)
        return self._sender(kind, self._rhythm(per_day), Behaviour((way,)), habit)

    def _drawn(self, kind: Kind, per_day: tuple[float, float], *ways: Way) -> Correspondent:
        return self._sender(kind, self._rhythm(per_day), Behaviour(ways))

    def _sender(
        self, kind: Kind, rhythm: Rhythm, behaviour: Behaviour, habit: Habit | None = None
    ) -> Correspondent:
        if kind == "colleague":
            person = self._people.pop()
            return Correspondent(person.email, person.display_name, kind, rhythm, behaviour, habit)
        name = self._names[kind].pop()
        return Correspondent(_address(kind, name), name, kind, rhythm, behaviour, habit)

    def _rhythm(self, per_day: tuple[float, float]) -> Rhythm:
        return Rhythm(per_day=round(self._random.uniform(*per_day), 2))

    def _few(self) -> int:
        return self._random.choice((1, 1, 2))

    def _shuffled(self, names: Sequence[str]) -> list[str]:
        return self._random.sample(names, len(names))


_MAILBOXES: dict[Kind, str] = {
    "newsletter": "news",
    "supplier": "billing",
    "service": "no-reply",
    "shop": "orders",
}


def _address(kind: Kind, name: str) -> str:
    """The address of an organization; `.example` never resolves (RFC 2606)."""
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    slug = "".join(letter if letter.isalnum() else "-" for letter in plain).strip("-")
    return f"{_MAILBOXES[kind]}@{slug}.example"
