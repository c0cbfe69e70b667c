"""The part of `/control` that concerns lives: mailboxes with mail in them, days, and habits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.microsoft.life.content import MailboxSize
from pipeline.sandbox.microsoft.life.living import PHASES, Living

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked
    from pipeline.sandbox.store import Store, User


class LifeControl:
    """Handlers over one sandbox's lives."""

    def __init__(self, store: Store) -> None:
        self._store, self._living = store, Living(store)

    def table(self) -> dict[str, dict[str, Callable[[Asked], Any]]]:
        return {
            "/microsoft/mailboxes": {"GET": self._list_mailboxes, "POST": self._add_mailboxes},
            "/microsoft/live": {"POST": self._live},
            "/microsoft/habits/{user}": {"GET": self._habits},
        }

    def _list_mailboxes(self, _: Asked) -> Any:
        return {"mailboxes": [asdict(self._living.described(user)) for user in self._lively()]}

    def _lively(self) -> list[User]:
        return [user for user in self._store.users() if self._living.lives(user)]

    def _add_mailboxes(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("users", "count", "seed", "size"))
        named = self._named(given)
        users = self._store.users() if named is None else named
        if given.has("count"):
            users = users[: given.whole("count", lowest=0)]
        seed = given.whole("seed", 1)
        size = _size(given.object("size")) if given.has("size") else None
        created = [self._living.add_mailbox(user, seed, size) for user in users]
        return {
            "mailboxes": [
                asdict(self._living.described(user)) | {"created": new}
                for user, new in zip(users, created, strict=True)
            ]
        }

    def _live(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("users", "seed", "since", "until", "phase"))
        since, until = _moment(given, "since"), _moment(given, "until")
        if since > until:
            refuse("until", "is before since")
        if until > self._store.clock.now():
            refuse("until", "nobody lives in the future")
        phase = PHASES[PHASES.index(given.choice("phase", PHASES))]
        seed = given.whole("seed", 1)
        named = self._named(given)
        users = self._lively() if named is None else named
        done = {user.user: self._living.live(user, seed, since, until, phase) for user in users}
        return {"users": done}

    def _habits(self, asked: Asked) -> Any:
        return {"habits": self._living.habits(self._store.user(asked.path["user"]))}

    def _named(self, given: Fields) -> list[User] | None:
        names = given.texts("users")
        return None if names is None else [self._store.user(name) for name in names]


def _size(given: dict[str, Any]) -> MailboxSize:
    checked = Fields(given, ("messages", "days"), "size.")
    return MailboxSize(checked.whole("messages", lowest=0), checked.whole("days", 80, lowest=1))


def _moment(given: Fields, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given.text(name))
    except ValueError:
        refuse(name, "needs a time in ISO 8601")
    if moment.tzinfo is None:
        refuse(name, "needs a time zone")
    return moment
