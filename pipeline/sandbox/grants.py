"""Codes, access tokens and refresh tokens, as rows: they outlive a restart.

Google's rules on refresh tokens: https://developers.google.com/identity/protocols/oauth2
"""

# Every SQL text below is put together from constants; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.sandbox.store import Store, User

#: More live refresh tokens than this, per user and client, and the oldest stop working.
MOST_REFRESH_TOKENS = 100
CODE_SECONDS = 600

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - public on purpose

_AUTH = "https://www.googleapis.com/auth/"
IDENTITY_SCOPES = ("openid", f"{_AUTH}userinfo.email", f"{_AUTH}userinfo.profile")
#: Shorthands that Google turns into the full address.
SCOPE_ALIASES = {"email": f"{_AUTH}userinfo.email", "profile": f"{_AUTH}userinfo.profile"}
READ_SCOPES = tuple(
    _AUTH + name
    for name in ("calendar.readonly", "gmail.readonly", "contacts.readonly", "tasks.readonly")
)
KNOWN_SCOPES = frozenset(
    (
        *IDENTITY_SCOPES,
        *READ_SCOPES,
        "https://mail.google.com/",
        *(_AUTH + f"calendar{name}" for name in ("", ".events", ".events.readonly")),
        *(_AUTH + f"calendar.{name}" for name in ("calendarlist", "calendarlist.readonly")),
        *(_AUTH + f"calendar.{name}" for name in ("calendars", "calendars.readonly")),
        *(_AUTH + f"gmail.{name}" for name in ("modify", "metadata", "labels", "compose", "send")),
        *(_AUTH + name for name in ("contacts", "contacts.other.readonly", "tasks")),
    )
)


@dataclass(frozen=True)
class Code:
    """What an authorization code stands for."""

    user: User
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    offline: bool


@dataclass(frozen=True)
class RefreshToken:
    token: str
    user: User
    grant_id: str
    scopes: frozenset[str]


def full_scopes(text: str) -> frozenset[str]:
    """The scopes of a space-separated list, aliases spelled out."""
    return frozenset(SCOPE_ALIASES.get(scope, scope) for scope in text.split())


class Grants:
    """Every token of the sandbox."""

    def __init__(self, store: Store) -> None:
        self._store, self._database, self._clock = store, store.database, store.clock

    def new_code(self, code: Code) -> str:
        token = "4/0" + secrets.token_urlsafe(32)
        self._database.run(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(token, code.user.n, _pack(code.scopes), code.redirect_uri, code.challenge),
            *(code.nonce, int(code.offline), self._clock.now_ms() + CODE_SECONDS * 1000),
        )
        return token

    def take_code(self, token: str) -> Code | None:
        """The meaning of a code, once; None for a used, expired or unknown one."""
        with self._database.transaction():
            row = self._database.row(
                "SELECT user_n, scopes, redirect_uri, challenge, nonce, offline FROM codes"
                " WHERE code = ? AND expires_ms > ?",
                *(token, self._clock.now_ms()),
            )
            self._database.run("DELETE FROM codes WHERE code = ?", token)
        user = None if row is None else self._store.user_by_n(row[0])
        if row is None or user is None:
            return None
        return Code(user, _unpack(row[1]), row[2], row[3], row[4], bool(row[5]))

    def new_access_token(
        self, user: User, grant_id: str, scopes: Iterable[str], seconds: int
    ) -> str:
        token = "ya29." + secrets.token_urlsafe(48)
        now_ms = self._clock.now_ms()
        with self._database.transaction():
            old = "DELETE FROM access_tokens WHERE user_n = ? AND expires_ms < ?"
            self._database.run(old, user.n, now_ms - 86_400_000)
            self._database.run(
                "INSERT INTO access_tokens VALUES (?, ?, ?, ?, ?)",
                *(token, user.n, grant_id, _pack(scopes), now_ms + seconds * 1000),
            )
        return token

    def new_refresh_token(
        self, user: User, scopes: Iterable[str], grant_id: str | None = None
    ) -> RefreshToken:
        """A further token of the grant, or the first one of a new grant."""
        grant = grant_id or secrets.token_hex(8)
        token = RefreshToken("1//" + secrets.token_urlsafe(48), user, grant, frozenset(scopes))
        with self._database.transaction():
            self._database.run("UPDATE users SET consents = 1 WHERE n = ?", user.n)
            self._database.run(
                "INSERT INTO refresh_tokens (token, user_n, grant_id, scopes) VALUES (?, ?, ?, ?)",
                *(token.token, user.n, grant, _pack(token.scopes)),
            )
            self._database.run(
                "DELETE FROM refresh_tokens WHERE user_n = ? AND n NOT IN (SELECT n FROM"
                " refresh_tokens WHERE user_n = ? ORDER BY n DESC LIMIT ?)",
                *(user.n, user.n, MOST_REFRESH_TOKENS),
            )
        return token

    def find_refresh_token(self, token: str) -> RefreshToken | None:
        row = self._database.row(
            "SELECT user_n, grant_id, scopes FROM refresh_tokens"
            " WHERE token = ? AND (dies_ms IS NULL OR dies_ms > ?)",
            *(token, self._clock.now_ms()),
        )
        user = None if row is None else self._store.user_by_n(row[0])
        if row is None or user is None:
            return None
        return RefreshToken(token, user, row[1], _unpack(row[2]))

    def consents(self, user: User) -> bool:
        """Whether the user has not taken back what was granted."""
        row = self._database.row("SELECT consents FROM users WHERE n = ?", user.n)
        return row is not None and bool(row[0])

    def has_grant(self, user: User) -> bool:
        sql = "SELECT 1 FROM refresh_tokens WHERE user_n = ? AND dies_ms IS NULL"
        return self._database.row(sql, user.n) is not None

    def granted_scopes(self, user: User) -> frozenset[str]:
        """Everything that the user has granted so far, by whichever of the tokens that live."""
        sql = "SELECT scopes FROM refresh_tokens WHERE user_n = ? AND dies_ms IS NULL"
        return frozenset().union(*(_unpack(row[0]) for row in self._database.rows(sql, user.n)))

    def retire(self, token: RefreshToken, grace_seconds: int) -> None:
        """Let a rotated token die after the grace."""
        dies_ms = self._clock.now_ms() + grace_seconds * 1000
        sql = "UPDATE refresh_tokens SET dies_ms = ? WHERE token = ?"
        self._database.run(sql, dies_ms, token.token)

    def check_access_token(self, token: str) -> tuple[User, frozenset[str]] | None:
        """Who may do what with this token; None when it is unknown or expired."""
        row = self._database.row(
            "SELECT a.scopes, u.n, u.user, u.email FROM access_tokens a"
            " JOIN users u ON u.n = a.user_n WHERE a.token = ? AND a.expires_ms > ?",
            *(token, self._clock.now_ms()),
        )
        return None if row is None else (User(*row[1:]), _unpack(row[0]))

    def revoke_token(self, token: str) -> bool:
        """Take back the user's whole grant, whichever of its tokens is shown; False if unknown."""
        for table in ("refresh_tokens", "access_tokens"):
            row = self._database.row(f"SELECT user_n FROM {table} WHERE token = ?", token)
            if row is not None:
                self.revoke_user(row[0])
                return True
        return False

    def revoke_user(self, user_n: int) -> None:
        """Take the consent back: every token and code dies, whatever client holds it."""
        with self._database.transaction():
            self._database.run("UPDATE users SET consents = 0 WHERE n = ?", user_n)
            for table in ("access_tokens", "refresh_tokens", "codes"):
                self._database.run(f"DELETE FROM {table} WHERE user_n = ?", user_n)

    def expire_access_tokens(self, user: User) -> None:
        sql = "UPDATE access_tokens SET expires_ms = 0 WHERE user_n = ?"
        self._database.run(sql, user.n)

    def reduce_scopes(self, user: User, scopes: Iterable[str]) -> None:
        """Leave every token of the user with only those of its scopes that are in `scopes`."""
        kept = frozenset(scopes)
        with self._database.transaction():
            for table in ("access_tokens", "refresh_tokens"):
                sql = f"SELECT token, scopes FROM {table} WHERE user_n = ?"
                for token, packed in self._database.rows(sql, user.n):
                    update = f"UPDATE {table} SET scopes = ? WHERE token = ?"
                    self._database.run(update, _pack(_unpack(packed) & kept), token)

    def set_rotation(self, user: User, on: bool) -> None:
        self._database.run("UPDATE users SET rotate = ? WHERE n = ?", int(on), user.n)

    def rotates(self, user: User) -> bool:
        row = self._database.row("SELECT rotate FROM users WHERE n = ?", user.n)
        return row is not None and bool(row[0])


def _pack(scopes: Iterable[str]) -> str:
    return json.dumps(sorted(scopes))


def _unpack(packed: str) -> frozenset[str]:
    return frozenset(json.loads(packed))
