"""Who is to be told of which changes, as rows: Calendar's channels, Gmail's watches, and
subscriptions to mailboxes at Microsoft."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import Clock, rfc3339
from pipeline.sandbox.database import Database, Values

CALENDAR_API, GMAIL_API = "calendar", "gmail"

#: Gmail's watches end after seven days, and so do channels at the latest (the default `ttl`):
#: https://developers.google.com/workspace/gmail/api/guides/push
#: https://developers.google.com/workspace/calendar/api/v3/reference/events/watch
LONGEST_MS = 7 * 86_400_000

_COLUMNS = "n, api, user_n, stream, name, expires_ms, number, told_ms, silent, ended, details"


@dataclass(frozen=True)
class Watch:
    """One channel, one mailbox's watch, or one subscription.

    `name` is the id that the client chose for a channel, or the topic, or the id of a
    subscription; `stream` is what is watched.  `number` is that of the newest message and
    `told_ms` the time of the newest notification.  A `silent` one looks alive and says nothing:
    the fault that nobody reports.
    """

    n: int
    api: str
    user_n: int
    stream: str
    name: str
    expires_ms: int
    number: int
    told_ms: int
    silent: bool
    ended: bool
    details: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """What control shows: no token, and no address, which may hold one."""
        names = ("api", "stream", "name", "number", "silent", "ended")
        return {name: getattr(self, name) for name in names} | {"expires": rfc3339(self.expires_ms)}


def _of(row: Values) -> Watch:
    *columns, silent, ended, details = row
    values: list[Any] = [*columns, bool(silent), bool(ended), json.loads(details)]
    return Watch(*values)


class Watches:
    """Every watch of the sandbox.  Several rows at once are the caller's transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        rows = database.rows("SELECT DISTINCT user_n FROM watches")
        self._watched: set[int] = {row[0] for row in rows}

    def any_of(self, user_n: int) -> bool:
        """Whether this user ever had a watch; without a query, since every change asks."""
        return user_n in self._watched

    def add(
        self,
        api: str,
        user_n: int,
        stream: str,
        name: str,
        expires_ms: int,
        details: dict[str, Any],
    ) -> Watch:
        """Begin a watch.  Expired ones are forgotten, so that their names are free again."""
        self._forget("expires_ms <= ?", self._clock.now_ms())
        self._database.run(
            "INSERT INTO watches (api, user_n, stream, name, expires_ms, details)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(api, user_n, stream, name, expires_ms, dump_json(details)),
        )
        self._watched.add(user_n)
        sql = f"SELECT {_COLUMNS} FROM watches ORDER BY n DESC LIMIT 1"  # noqa: S608
        return _of(self._database.rows(sql)[0])

    def channel(self, channel_id: str) -> Watch | None:
        """The unexpired channel of this id, even if it was stopped: its id stays taken."""
        found = self._found("api = 'calendar' AND name = ? AND expires_ms > ?", channel_id)
        return found[0] if found else None

    def of_mailbox(self, user_n: int) -> Watch | None:
        found = self._found("api = 'gmail' AND user_n = ? AND expires_ms > ?", user_n)
        return found[0] if found else None

    def of_stream(self, user_n: int, stream: str) -> list[Watch]:
        """The live watches of one stream, oldest first."""
        return self._found(
            "user_n = ? AND stream = ? AND ended = 0 AND expires_ms > ?", user_n, stream
        )

    def of_user(self, user_n: int) -> list[Watch]:
        """Unexpired watches of a user."""
        return self._found("user_n = ? AND expires_ms > ?", user_n)

    def _found(self, condition: str, *values: Any) -> list[Watch]:
        sql = f"SELECT {_COLUMNS} FROM watches WHERE {condition} ORDER BY n"  # noqa: S608
        return [_of(row) for row in self._database.rows(sql, *values, self._clock.now_ms())]

    def tell(self, watch: Watch, number: int) -> None:
        """Note that it is told something now, by a message of this number."""
        sql = "UPDATE watches SET number = ?, told_ms = ? WHERE n = ?"
        self._database.run(sql, number, self._clock.now_ms(), watch.n)

    def extend(self, watch: Watch, expires_ms: int) -> None:
        """Let it live until another moment."""
        self._database.run("UPDATE watches SET expires_ms = ? WHERE n = ?", expires_ms, watch.n)

    def end(self, watch: Watch) -> None:
        """No further word, not even those that wait."""
        self._database.run("UPDATE watches SET ended = 1 WHERE n = ?", watch.n)
        self._database.run("DELETE FROM pushes WHERE watch_n = ?", watch.n)

    def silence(self, watch_n: int) -> int:
        """Never speak again, and forget what waits; returns how many words that were."""
        self._database.run("UPDATE watches SET silent = 1 WHERE n = ?", watch_n)
        return self._database.run("DELETE FROM pushes WHERE watch_n = ?", watch_n)

    def forget(self, watch: Watch) -> None:
        self._forget("n = ?", watch.n)

    def _forget(self, condition: str, value: int) -> None:
        gone = f"SELECT n FROM watches WHERE {condition}"  # noqa: S608
        self._database.run(f"DELETE FROM pushes WHERE watch_n IN ({gone})", value)  # noqa: S608
        self._database.run(f"DELETE FROM watches WHERE {condition}", value)  # noqa: S608
