"""What waits to be told, as rows, in the order of each watch."""

# Every SQL text below is put together from constants; values are always bound.

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.changes import Change, Remove
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.database import Database, Values
from pipeline.sandbox.push.counts import Counts, Outcome
from pipeline.sandbox.push.watches import CALENDAR_API, Watch, Watches
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.stamps import CALENDAR, CONTAINERS, GMAIL

if TYPE_CHECKING:
    from pipeline.sandbox.store import User

#: More than this never wait for one watch.  What comes on top needs no word of its own: the
#: last one that waits is told after it.
MOST_WAITING = 1000


@dataclass(frozen=True)
class Notification:
    """The word that a watch has to say next.

    `state` says what has happened: one word, or JSON for a subscription.
    `number` is the message number of a channel, or the mailbox's history id; `at_ms` is when it
    was published.  A `held` one was kept back by a fault before, which strikes no second time.
    """

    n: int
    watch_n: int
    due_ms: int
    attempts: int
    state: str
    number: int
    at_ms: int
    api: str
    name: str
    expires_ms: int
    user: str
    email: str
    held: bool
    details: dict[str, Any]


#: All that a notification is made of.
_NOTIFICATIONS = (
    "SELECT p.n, p.watch_n, p.due_ms, p.attempts, p.state, p.number, p.at_ms, w.api,"
    " w.name, w.expires_ms, u.user, u.email, p.held, w.details FROM pushes p"
    " JOIN watches w ON w.n = p.watch_n JOIN users u ON u.n = w.user_n"
)


class Outbox:
    """Every notification that nobody has taken yet.

    `wake` is called with each watch that has something to say; it runs inside the transaction
    and must not wait for anything.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.watches = Watches(database, clock)
        self.counts = Counts()
        self.settings = Settings()
        self.wake: Callable[[int, int], None] = _nobody_listens

    # What is to be told

    def begin(self, watch: Watch, history_id: int = 0) -> None:
        """Say at once that the watch is there."""
        if watch.api == CALENDAR_API:
            self._tell_channel(watch, "sync")
        else:
            self._put(watch, "", history_id)
            self.watches.tell(watch, history_id)

    def announce(self, user: User, change: Change, since_rev: int) -> None:
        """Tell of a change that was just made, the first one of the user after `since_rev`."""
        for stream, state in _touched(change):
            for watch in self.watches.of_stream(user.n, stream):
                if watch.silent:
                    self.counts.add(watch.api, user.user, Outcome.LOST)
                elif watch.api == CALENDAR_API:
                    self._tell_channel(watch, state)
                elif self._wanted(watch, since_rev):
                    self._tell_mailbox(user, watch)

    def tell_subscriber(self, watch: Watch, user: str, note: str) -> None:
        """Tell a subscription of a change, or of itself; `note` says what, as JSON.

        Of what is too much to keep only that is told: something was missed.
        """
        if watch.silent:
            self.counts.add(watch.api, user, Outcome.LOST)
            return
        waiting = self._waiting(watch)
        if waiting == MOST_WAITING and watch.details["lifecycle_address"]:
            note = '{"lifecycle":"missed"}'
        if waiting <= MOST_WAITING:
            self._put(watch, note, 0)
        else:
            self.counts.add(watch.api, user, Outcome.DROPPED)

    def _tell_channel(self, watch: Watch, state: str) -> None:
        if self._waiting(watch) >= MOST_WAITING:
            return
        number = _next_number(watch.number)
        self._put(watch, state, number)
        self.watches.tell(watch, number)

    def _tell_mailbox(self, user: User, watch: Watch) -> None:
        """At most one notification per second of one mailbox; Gmail drops the others:
        https://developers.google.com/workspace/gmail/api/guides/push"""
        since_ms = self._clock.now_ms() - watch.told_ms
        if since_ms < 1000 * self.settings.gmail_push_interval_seconds:
            self.counts.add(watch.api, user.user, Outcome.DROPPED)
            return
        row = self._database.row("SELECT rev FROM users WHERE n = ?", user.n)
        history_id = int(row[0]) if row else 0
        if self._waiting(watch) < MOST_WAITING:
            self._put(watch, "", history_id)
        self.watches.tell(watch, history_id)

    def _wanted(self, watch: Watch, since_rev: int) -> bool:
        """Whether the watch's labels let a change through."""
        labels = watch.details["label_ids"]
        if not labels:
            return True
        include = watch.details["behavior"] == "include"
        sql = "SELECT labels FROM history WHERE user_n = ? AND rev > ?"
        rows = self._database.rows(sql, watch.user_n, since_rev)
        return any(any(f",{label}," in row[0] for label in labels) == include for row in rows)

    def _waiting(self, watch: Watch) -> int:
        row = self._database.row("SELECT count(*) FROM pushes WHERE watch_n = ?", watch.n)
        return int(row[0]) if row else 0

    def _put(self, watch: Watch, state: str, number: int) -> None:
        now_ms = self._clock.now_ms()
        self._database.run(
            "INSERT INTO pushes (watch_n, due_ms, at_ms, state, number) VALUES (?, ?, ?, ?, ?)",
            *(watch.n, now_ms, now_ms, state, number),
        )
        self.wake(watch.n, now_ms)

    # What is told next

    def waiting(self) -> int:
        row = self._database.row("SELECT count(*) FROM pushes")
        return int(row[0]) if row else 0

    def clear(self) -> None:
        """Forget what waits, and count from 0 again."""
        with self._database.transaction():
            self._database.run("DELETE FROM pushes")
            self.counts.clear()

    def watches_waiting(self) -> list[int]:
        """The watches that have something to say, for a deliverer that starts."""
        return [row[0] for row in self._database.rows("SELECT DISTINCT watch_n FROM pushes")]

    def head(self, watch_n: int) -> Notification | None:
        """The next word of a watch, due or not."""
        row = self._database.row(
            f"{_NOTIFICATIONS} WHERE p.watch_n = ? ORDER BY p.overtaken, p.n LIMIT 1",
            watch_n,
        )
        return None if row is None else _notification(row)

    def following(self, told: Notification, most: int) -> list[Notification]:
        """What its watch has to say behind it and may be said with it: due, and never tried."""
        rows = self._database.rows(
            f"{_NOTIFICATIONS} WHERE p.watch_n = ? AND p.n > ? AND p.due_ms <= ?"
            " AND p.attempts = 0 AND p.held = 0 AND p.overtaken = 0 ORDER BY p.n LIMIT ?",
            *(told.watch_n, told.n, self._clock.now_ms(), most),
        )
        return [_notification(row) for row in rows]

    def watches_telling(self, api: str, address: str, most: int) -> list[int]:
        """The watches of an API that have something due for one address, oldest word first."""
        rows = self._database.rows(
            "SELECT p.watch_n FROM pushes p JOIN watches w ON w.n = p.watch_n"
            " WHERE w.api = ? AND json_extract(w.details, '$.address') = ? AND p.due_ms <= ?"
            " GROUP BY p.watch_n ORDER BY min(p.n) LIMIT ?",
            *(api, address, self._clock.now_ms(), most),
        )
        return [row[0] for row in rows]

    def finish(self, told: Notification, outcome: Outcome) -> None:
        """Nothing more to do for this one.  It is counted when it waits no more, at once."""
        with self._database.transaction():
            self._database.run("DELETE FROM pushes WHERE n = ?", told.n)
            self.counts.add(told.api, told.user, outcome)

    def try_again(self, told: Notification, wait_seconds: float) -> None:
        """Those behind it wait as well: a watch speaks in order."""
        due_ms = self._clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE pushes SET attempts = attempts + 1, due_ms = ? WHERE n = ?"
        with self._database.transaction():
            self._database.run(sql, due_ms, told.n)
            self.counts.add(told.api, told.user, Outcome.RETRIED)

    def hold(self, told: Notification, wait_seconds: float, *, overtaken: bool) -> None:
        """Keep it back; if it may be `overtaken`, those behind it go first."""
        due_ms = self._clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE pushes SET held = 1, due_ms = ?, overtaken = ? WHERE n = ?"
        with self._database.transaction():
            self._database.run(sql, due_ms, int(overtaken), told.n)
            self.counts.add(told.api, told.user, Outcome.DELAYED)

    def silence(self, told: Notification) -> None:
        """The watch never speaks again, and looks as if it would."""
        with self._database.transaction():
            lost = self.watches.silence(told.watch_n)
            self.counts.add(told.api, told.user, Outcome.LOST, lost)


def _notification(row: Values) -> Notification:
    *columns, held, details = row
    values: list[Any] = [*columns, bool(held), json.loads(details)]
    return Notification(*values)


def _nobody_listens(_watch_n: int, _due_ms: int) -> None:
    """The rows keep: a deliverer that starts later finds them."""


def _touched(change: Change) -> list[tuple[str, str]]:
    """The streams that a change is told of, and the state that a channel reports of each.

    A calendar that leaves the list takes its events with it: that resource does not exist any
    more.  https://developers.google.com/workspace/calendar/api/guides/push
    """
    if change.source not in (CALENDAR, GMAIL):
        return []
    touched = [(change.stream, "exists")]
    lists, prefix = CONTAINERS[CALENDAR]
    if change.source == CALENDAR and change.stream == lists and isinstance(change, Remove):
        touched.append((prefix + change.item_id, "not_exists"))
    return touched


def _next_number(number: int) -> int:
    """The sync message is number 1; those after it grow, but not by one."""
    return 1 if number == 0 else number + 1 + (number * 2654435761 >> 7) % 5
