"""Users by the dozen, and changes to what they have: what control does with generated data."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from pipeline.sandbox.changes import Change, Put, Remove
from pipeline.sandbox.fields import refuse
from pipeline.sandbox.generate import Size, build_user, size_of
from pipeline.sandbox.microsoft import MAIL
from pipeline.sandbox.microsoft.mutations import MailMutator
from pipeline.sandbox.mutate import propose
from pipeline.sandbox.stamps import SOURCES
from pipeline.sandbox.store import Store, User

#: Of the changes to a user with a mailbox at Microsoft, so many happen there.
_MAIL_SHARE = 0.4
EMAIL_DOMAIN = "sandbox.example"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Added:
    """A user that was asked for; `created` is False if it had been there before."""

    user: str
    email: str
    created: bool


def add_population(store: Store, count: int, seed: int, prefix: str) -> list[Added]:
    """Users `prefix`0001 …, of realistic sizes."""
    return [
        add_user(store, f"{prefix}{index + 1:04d}", seed, size_of(seed, index))
        for index in range(count)
    ]


def add_user(store: Store, name: str, seed: int, size: Size) -> Added:
    """One user of that size; an existing one is left as it is.

    Raises ValueError for a name that could not stand in an e-mail address and a URL.
    """
    if not _NAME.fullmatch(name):
        refuse("user", "needs letters, digits, dots, dashes or underscores")
    email = f"{name}@{EMAIL_DOMAIN}"
    existing = store.find_user(name)
    if existing is not None:
        return Added(name, existing.email, created=False)
    items = build_user(seed, name, email, size, store.clock.now())
    return Added(name, email, store.add_user(name, email, items))


@dataclass
class Mutated:
    """What a round of changes did: counts by source and kind, and whose cursors it expired."""

    changes: int
    by_source: dict[str, dict[str, int]]
    by_user: dict[str, int]
    expired: list[dict[str, str]]

    def described(self) -> dict[str, Any]:
        return asdict(self)


class Mutator:
    """Changes from one seed: the same seed on the same state makes the same changes."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store, self._seed = store, seed
        self._counts: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}

    def run(self, users: list[User], changes: int, expire: float | list[str]) -> Mutated:
        """Spread `changes` over the users; then expire cursors of a share of all (user, source)
        pairs, or of all sources of the users that are named."""
        shares = Counter(Random(f"{self._seed}/shares").choices(range(len(users)), k=changes))
        by_user: dict[str, int] = {}
        for index, user in enumerate(users):
            by_user[user.user] = self._change(user, shares[index]) if shares[index] else 0
        expired = self._expire(users, expire)
        by_source = {source: dict(sorted(count.items())) for source, count in self._counts.items()}
        return Mutated(sum(by_user.values()), by_source, by_user, expired)

    def _change(self, user: User, changes: int) -> int:
        random, now = Random(f"{self._seed}/{user.user}"), self._store.clock.now()
        made = self._change_mail(user, changes)
        changes -= made
        for change in propose(random, self._store, user.user, user.email, changes, now):
            self._counts[change.source][self._kind(user, change)] += 1
            self._store.apply(user.user, change, self._store.clock.now())
            made += 1
        return made

    def _change_mail(self, user: User, changes: int) -> int:
        """Of a user's changes some happen at Microsoft, if there is a mailbox."""
        if not self._store.mail.has_mailbox(user):
            return 0
        random = Random(f"{self._seed}/{user.user}/mail")
        share = sum(random.random() < _MAIL_SHARE for _ in range(changes))
        mutator, counts = MailMutator(self._store, random, user), Counter[str]()
        for _ in range(share):
            counts[mutator.change()] += 1
        self._counts.setdefault(MAIL, Counter()).update(counts)
        return share

    def _kind(self, user: User, change: Change) -> str:
        if isinstance(change, Remove):
            return "removed"
        if not isinstance(change, Put):
            return "renamed"
        stream = (user.user, change.source, change.stream)
        return "created" if self._store.item(*stream, change.item_id) is None else "updated"

    def _expire(self, users: list[User], expire: float | list[str]) -> list[dict[str, str]]:
        pairs = [(user, source) for user in users for source in self._store.sources(user)]
        if isinstance(expire, list):
            chosen = [pair for pair in pairs if pair[0].user in expire]
        else:
            random = Random(f"{self._seed}/expire")
            chosen = [pair for pair in pairs if random.random() < expire]
        for user, source in chosen:
            self._store.set_floor(user, source)
        return [{"user": user.user, "source": source} for user, source in chosen]
