"""What is in a mailbox when it is first looked at: the mail of a person's last months, as left.

Also mail with which the person did something by habit: nobody has seen that done, so whoever takes
it for mail that was left alone finds no habit any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from random import Random

from pipeline.sandbox.data.people import population
from pipeline.sandbox.microsoft.life import composing, words
from pipeline.sandbox.microsoft.life.composing import Message
from pipeline.sandbox.microsoft.life.correspondents import Correspondent, HabitKind, Rhythm
from pipeline.sandbox.microsoft.life.lives import Life
from pipeline.sandbox.microsoft.rows import ARCHIVE, DELETED, DRAFTS, INBOX, JUNK, SENT

#: Older mail is at least so old.
_LONG_AGO = timedelta(days=95)
_OLD_SHARE, _HABITUAL_SHARE = 1 / 12, 1 / 4
_CIRCLE = 40
#: Where mail is found: well-known names, "" for a folder that the person made; and weights.
_PLACES = {INBOX: 46, "": 28, SENT: 10, DELETED: 6, DRAFTS: 3, JUNK: 3, ARCHIVE: 4}
#: Where mail goes by habits that name no folder; what is only read stays.
_PUT_AWAY: dict[HabitKind, str] = {"delete": DELETED, "archive": ARCHIVE}


@dataclass(frozen=True, slots=True)
class MailboxSize:
    """How many mails are in a mailbox, from the last `days`; one in twelve is older."""

    messages: int
    days: int = 80

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.messages < 0 or self.days < 1:
            raise ValueError("size: needs messages of 0 or more, and days of 1 or more")


@dataclass(frozen=True, slots=True)
class Left:
    """A mail where it was left: in a well-known folder, or in one with this path."""

    place: str
    at: datetime
    message: Message


def size_of(life: Life) -> MailboxSize:
    """One mailbox in twelve is new, one in eight big, the rest ordinary."""
    random = life.random("size")
    luck = random.random()
    if luck < 1 / 12:
        return MailboxSize(random.randint(0, 8))
    if luck < 1 / 12 + 1 / 8:
        return MailboxSize(random.randint(220, 380))
    return MailboxSize(random.randint(60, 150))


def left(life: Life, size: MailboxSize, now: datetime) -> Iterator[Left]:
    """Everything in the mailbox, in no particular order."""
    yield from islice(_endless(life, size, now), size.messages)


def _endless(life: Life, size: MailboxSize, now: datetime) -> Iterator[Left]:
    random, others = life.random("content"), _others(life)
    while True:
        luck = random.random()
        age = timedelta(seconds=60 + int(random.random() ** 1.6 * size.days * 86_400))
        if luck < _OLD_SHARE:
            age = _LONG_AGO + timedelta(seconds=random.randint(0, 100 * 86_400))
            yield _put_away(life, random, now - age)
        elif luck < _OLD_SHARE + _HABITUAL_SHARE:
            yield _put_away(life, random, now - age)
        else:
            yield from _thread(life, random, random.choice(others), now, age)


def _others(life: Life) -> list[Correspondent]:
    """People who wrote once and will not again."""
    known = {sender.email for sender in life.correspondents}
    people = population(life.seed).circle(f"{life.user}/old mail", _CIRCLE)
    return [
        Correspondent(person.email, person.display_name, "colleague", Rhythm())
        for person in people
        if person.email not in known
    ]


def _put_away(life: Life, random: Random, at: datetime) -> Left:
    """A mail of somebody whose mail is dealt with by habit, where it is afterwards."""
    sender, habit = random.choice(life.habits())
    place = habit.folder or _PUT_AWAY.get(habit.kind, INBOX)
    message = composing.incoming(life, random, sender, _key(random))
    return Left(place, at, message | {"isRead": habit.kind != "delete"})


def _thread(
    life: Life, random: Random, sender: Correspondent, now: datetime, age: timedelta
) -> Iterator[Left]:
    """A mail, and now and then what the person answered."""
    place = random.choices(list(_PLACES), list(_PLACES.values()))[0]
    message = composing.incoming(life, random, sender, _key(random))
    if place in (SENT, DRAFTS):
        yield _written(life, random, message, place, now - age)
        return
    yield Left(place or random.choice(life.folders), now - age, message | _marks(random, age))
    if random.random() < 0.1:
        yield _written(life, random, message, SENT, now - age * random.random())


def _written(life: Life, random: Random, to: Message, place: str, at: datetime) -> Left:
    mail = composing.outgoing(life, random, to["from"], to, _key(random))
    return Left(place, at, mail | ({"isDraft": True} if place == DRAFTS else {}))


def _marks(random: Random, age: timedelta) -> Message:
    """What people leave on their mail; most that is a few days old has been read."""
    marks: Message = {"isRead": random.random() < (0.5 if age < timedelta(days=5) else 0.92)}
    if random.random() < 0.08:
        marks["flag"] = {"flagStatus": random.choice(("flagged", "flagged", "complete"))}
    if random.random() < 0.1:
        marks["categories"] = random.sample(words.CATEGORIES, random.randint(1, 2))
    return marks


def _key(random: Random) -> str:
    return f"{random.getrandbits(96):024x}"
