"""Lives in the sandbox's store: mailboxes that people have, days that they live, their habits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pipeline.sandbox.clock import epoch_ms
from pipeline.sandbox.microsoft.life import composing
from pipeline.sandbox.microsoft.life.content import MailboxSize, left, size_of
from pipeline.sandbox.microsoft.life.days import Letter, SeedOf, acts, letters
from pipeline.sandbox.microsoft.life.lives import Life, life_of
from pipeline.sandbox.microsoft.life.person import Person
from pipeline.sandbox.microsoft.life.words import ZONES
from pipeline.sandbox.microsoft.rows import ARCHIVE, INBOX, JUNK

if TYPE_CHECKING:
    from pipeline.sandbox.store import Store, User

Phase = Literal["arrivals", "acts"]
PHASES: tuple[Phase, ...] = ("arrivals", "acts")


@dataclass(frozen=True)
class Mailbox:
    """A mailbox in which somebody lives; how much is in it."""

    user: str
    email: str
    folders: int
    messages: int


class Living:
    """The lives of one sandbox.  A day that was lived is the same when it is lived again."""

    def __init__(self, store: Store) -> None:
        self._store, self._mail, self._database = store, store.mail, store.database

    def add_mailbox(self, user: User, seed: int, size: MailboxSize | None = None) -> bool:
        """Give a user a mailbox with folders and mail; of a size of its own if none is given.

        A user who lives already keeps what is there: then False.
        """
        with self._database.transaction():
            if self.lives(user):
                return False
            self._create(user, seed, size)
            return True

    def described(self, user: User) -> Mailbox:
        row = self._database.row("SELECT count(*) FROM mail_items WHERE user_n = ?", user.n)
        messages = 0 if row is None else int(row[0])
        return Mailbox(user.user, user.email, len(self._mail.folders(user)), messages)

    def lives(self, user: User) -> bool:
        return self._find(user) is not None

    def habits(self, user: User) -> list[dict[str, Any]]:
        """What the user does as a rule; `folder_id` is None if the folder is gone.

        Raises ValueError if the user has no life.
        """
        life, places = self._life(user), self._places(user)
        archive = self._mail.folder(user, ARCHIVE).id
        return [
            {
                "kind": habit.kind,
                "sender_email": sender.email,
                "folder_path": habit.folder or None,
                "folder_id": archive if habit.kind == "archive" else places.get(habit.folder),
            }
            for sender, habit in life.habits()
        ]

    def live(
        self, user: User, seed: int, since: datetime, until: datetime, phase: Phase
    ) -> dict[str, int]:
        """Have the mail of these days come, or do what the user does with it; counts by deed.

        A mail that is no longer where it was left is not touched.  `seed` throws the dice of
        days that were not lived before.  Raises ValueError if the user has no life.
        """
        life, done = self._life(user), Counter[str]()
        with self._database.transaction():
            if phase == "arrivals":
                for letter in letters(life, self._dice(user, seed, keep=True), since, until):
                    done["arrived"] += self._arrive(user, life, letter)
                return dict(done)
            person = Person(self._mail, user, life, self._places(user))
            for act in acts(life, self._dice(user, seed, keep=False), since, until):
                if message_id := self._lived(user, act.letter.key):
                    done[act.way.deed] += person.does(act, message_id)
        return {deed: count for deed, count in done.items() if count}

    # A mailbox comes into being

    def _create(self, user: User, seed: int, size: MailboxSize | None) -> None:
        now = self._store.clock.now()
        life = life_of(seed, user.user, user.email, now)
        self._mail.ensure_mailbox(user)
        self._mail.set_time_zone(user, life.random("zone").choice(ZONES))
        self._database.run(
            "INSERT INTO lives (user_n, seed, made_ms) VALUES (?, ?, ?)",
            *(user.n, seed, epoch_ms(now)),
        )
        ids: dict[str, str] = self._places(user)
        for path in life.folders:
            parent, _, name = path.rpartition("/")
            if path not in ids:
                ids[path] = self._mail.add_folder(user, name, ids.get(parent), now)
        found = list(left(life, size or size_of(life), now))
        for mail in sorted(found, key=lambda mail: mail.at):
            self._mail.add_message(user, ids.get(mail.place, mail.place), mail.message, mail.at)

    def _find(self, user: User) -> tuple[int, int] | None:
        sql = "SELECT seed, made_ms FROM lives WHERE user_n = ?"
        row = self._database.row(sql, user.n)
        return None if row is None else (int(row[0]), int(row[1]))

    def _life(self, user: User) -> Life:
        found = self._find(user)
        if found is None:
            raise ValueError(f"user: nobody lives in the mailbox of {user.user!r}")
        seed, made_ms = found
        return life_of(seed, user.user, user.email, datetime.fromtimestamp(made_ms / 1000, UTC))

    def _places(self, user: User) -> dict[str, str]:
        """The ids of folders by their paths."""
        paths: dict[str, str] = {}
        for folder in self._mail.folders(user):  # parents before children
            above = paths.get(folder.parent_id)
            paths[folder.id] = f"{above}/{folder.name}" if above else folder.name
        return {path: folder_id for folder_id, path in paths.items()}

    # Days

    def _dice(self, user: User, seed: int, *, keep: bool) -> SeedOf:
        """The seeds of days: what was kept when a day was first lived, else `seed`."""
        known: dict[int, int] = {}

        def seed_of(day: date) -> int:
            ordinal = day.toordinal()
            if ordinal not in known:
                known[ordinal] = self._seed_of(user, ordinal, seed, keep=keep)
            return known[ordinal]

        return seed_of

    def _seed_of(self, user: User, day: int, seed: int, *, keep: bool) -> int:
        if keep:
            sql = "INSERT OR IGNORE INTO lived_days (user_n, day, seed) VALUES (?, ?, ?)"
            self._database.run(sql, user.n, day, seed)
        sql = "SELECT seed FROM lived_days WHERE user_n = ? AND day = ?"
        row = self._database.row(sql, user.n, day)
        return seed if row is None else int(row[0])

    def _lived(self, user: User, key: str) -> str | None:
        sql = "SELECT message_id FROM lived_mails WHERE user_n = ? AND key = ?"
        row = self._database.row(sql, user.n, key)
        return None if row is None else str(row[0])

    def _arrive(self, user: User, life: Life, letter: Letter) -> bool:
        if self._lived(user, letter.key):
            return False
        place = INBOX
        if letter.sender.kind == "stranger" and life.random(letter.key, "junk").random() < 0.2:
            place = JUNK
        message = composing.received(life, letter)
        message_id = self._mail.add_message(user, place, message, letter.at)
        sql = "INSERT INTO lived_mails (user_n, key, message_id) VALUES (?, ?, ?)"
        self._database.run(sql, user.n, letter.key, message_id)
        return True
