"""What happens on a person's days: mail that comes, and what is done with it.

Every day is drawn by itself, so it is the same whether days are lived one by one or at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from pipeline.sandbox.microsoft.life.behaviour import LONGEST_DELAY, Way
from pipeline.sandbox.microsoft.life.correspondents import Correspondent, Rhythm
from pipeline.sandbox.microsoft.life.lives import Life

_DAY_SECONDS = 86_400
#: Mail from people who write once and never again.
_STRANGERS = Rhythm(per_day=0.4)

#: Gives the seed by which a day's dice fall.
SeedOf = Callable[[date], int]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that comes; `key` is the part of its Message-ID that no other mail has."""

    key: str
    sender: Correspondent
    at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """Something that the person does with a mail."""

    letter: Letter
    way: Way
    at: datetime


def letters(life: Life, seed_of: SeedOf, since: datetime, until: datetime) -> list[Letter]:
    """The mail that comes from `since` until before `until` (both aware), in order."""
    days = range(since.astimezone(UTC).toordinal(), until.astimezone(UTC).toordinal() + 1)
    came = (letter for day in days for letter in _day(life, seed_of, date.fromordinal(day)))
    wanted = [letter for letter in came if since <= letter.at < until]
    return sorted(wanted, key=lambda letter: (letter.at, letter.key))


def acts(life: Life, seed_of: SeedOf, since: datetime, until: datetime) -> list[Act]:
    """What is done from `since` until before `until`, in order, also with older mail."""
    done = []
    for letter in letters(life, seed_of, since - LONGEST_DELAY, until):
        dice = life.random(letter.key, "act")
        chosen = letter.sender.behaviour.choose(dice, letter.at)
        if chosen is not None and since <= chosen[1] < until:
            done.append(Act(letter, *chosen))
    return sorted(done, key=lambda act: (act.at, act.letter.key))


def _day(life: Life, seed_of: SeedOf, day: date) -> Iterator[Letter]:
    seed, ordinal = seed_of(day), day.toordinal()
    for sender in life.correspondents:
        dice = life.random(sender.email, seed, ordinal)
        for number in range(sender.rhythm.mails_on(ordinal, dice)):
            yield _letter(life, sender, day, seed, number, dice.random())
    dice = life.random("strangers", seed, ordinal)
    for number in range(_STRANGERS.mails_on(ordinal, dice)):
        stranger = _stranger(dice.getrandbits(40), number)
        yield _letter(life, stranger, day, seed, number, dice.random())


def _letter(
    life: Life, sender: Correspondent, day: date, seed: int, number: int, luck: float
) -> Letter:
    """One mail, at the second of its day that `luck` (0 to 1) says."""
    midnight = datetime.combine(day, time(), UTC)
    text = f"{life.seed}/{life.user}/{sender.email}/{day}/{seed}/{number}"
    key = sha256(text.encode()).hexdigest()[:24]
    return Letter(key, sender, midnight + timedelta(seconds=int(luck * _DAY_SECONDS)))


def _stranger(number: int, index: int) -> Correspondent:
    """Somebody who writes once and never again."""
    email = f"contact@company-{number:x}{index}.example"
    return Correspondent(email, f"Company {number % 1000}", "stranger", Rhythm())
