"""Codes, tokens and consents of Microsoft accounts, as rows: they outlive a restart.

https://learn.microsoft.com/entra/identity-platform/refresh-tokens
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.sandbox.store import Store, User

CODE_SECONDS = 600
#: A refresh token that nobody uses for so long is dead; each use gives a new one.
REFRESH_SECONDS = 90 * 86_400
#: More refresh tokens than this, per user, and the oldest stop working.
MOST_REFRESH_TOKENS = 100

GRAPH = "https://graph.microsoft.com/"
IDENTITY_SCOPES = ("openid", "profile", "email", "offline_access")
MAIL_SCOPES = (
    *("Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.ReadBasic"),
    *("MailboxSettings.Read", "MailboxSettings.ReadWrite"),
)
KNOWN_SCOPES = {name.lower(): name for name in (*IDENTITY_SCOPES, "User.Read", *MAIL_SCOPES)}
#: What a headless grant has unless told otherwise.
USUAL_SCOPES = (
    *IDENTITY_SCOPES,
    *("User.Read", "Mail.Read", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite"),
)


class Refusal(StrEnum):
    """Why an account's refresh tokens are not taken any more."""

    WITHDRAWN = "withdrawn"
    PASSWORD = "password"  # noqa: S105 - it was changed
    INACTIVE = "inactive"
    PROOF = "proof"


@dataclass(frozen=True)
class GraphCode:
    """What an authorization code stands for."""

    user: User
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str | None
    nonce: str | None


def known_scopes(text: str) -> frozenset[str]:
    """The scopes of a space-separated list, short and in Microsoft's spelling; unknown ones
    stay as they are."""
    names = (scope.removeprefix(GRAPH) for scope in text.split())
    return frozenset(KNOWN_SCOPES.get(name.lower(), name) for name in names)


class GraphTokens:
    """Every code, token and consent of the sandbox's Microsoft accounts."""

    def __init__(self, store: Store) -> None:
        self._store, self._database, self._clock = store, store.database, store.clock

    def new_code(self, code: GraphCode) -> str:
        token = "1.AXoA" + secrets.token_urlsafe(64)
        self._database.run(
            "INSERT INTO graph_codes VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(token, code.user.n, _pack(code.scopes), code.redirect_uri, code.challenge),
            *(code.nonce, self._clock.now_ms() + CODE_SECONDS * 1000),
        )
        return token

    def take_code(self, token: str) -> GraphCode | None:
        """The meaning of a code, once; None for a used, expired or unknown one."""
        with self._database.transaction():
            row = self._database.row(
                "SELECT user_n, scopes, redirect_uri, challenge, nonce FROM graph_codes"
                " WHERE code = ? AND expires_ms > ?",
                *(token, self._clock.now_ms()),
            )
            self._database.run("DELETE FROM graph_codes WHERE code = ?", token)
        user = None if row is None else self._store.user_by_n(row[0])
        if row is None or user is None:
            return None
        return GraphCode(user, _unpack(row[1]), row[2], row[3], row[4])

    def new_access_token(self, user: User, scopes: Iterable[str], seconds: int) -> str:
        now_ms = self._clock.now_ms()
        old = "DELETE FROM graph_tokens WHERE user_n = ? AND kind = 'access' AND expires_ms < ?"
        with self._database.transaction():
            self._database.run(old, user.n, now_ms - 86_400_000)
            return self._new_token(user, "access", "EwB4A8l6BAAU", scopes, now_ms + seconds * 1000)

    def new_refresh_token(self, user: User, scopes: Iterable[str]) -> str:
        """A further token; those that were given before stay good."""
        until_ms = self._clock.now_ms() + REFRESH_SECONDS * 1000
        with self._database.transaction():
            token = self._new_token(user, "refresh", "1.AXoAqkdK", scopes, until_ms)
            self._database.run(
                "DELETE FROM graph_tokens WHERE user_n = ? AND kind = 'refresh' AND token NOT IN"
                " (SELECT token FROM graph_tokens WHERE user_n = ? AND kind = 'refresh'"
                " ORDER BY expires_ms DESC LIMIT ?)",
                *(user.n, user.n, MOST_REFRESH_TOKENS),
            )
        return token

    def _new_token(
        self, user: User, kind: str, start: str, scopes: Iterable[str], expires_ms: int
    ) -> str:
        token = start + secrets.token_urlsafe(64)
        sql = "INSERT INTO graph_tokens VALUES (?, ?, ?, ?, ?)"
        self._database.run(sql, token, user.n, kind, _pack(scopes), expires_ms)
        return token

    def check(self, token: str, kind: str = "access") -> tuple[User, frozenset[str]] | None:
        """Whose token it is, and for which scopes; None when it is unknown or expired."""
        row = self._database.row(
            "SELECT t.scopes, u.n, u.user, u.email FROM graph_tokens t"
            " JOIN users u ON u.n = t.user_n WHERE t.token = ? AND t.kind = ? AND t.expires_ms > ?",
            *(token, kind, self._clock.now_ms()),
        )
        return None if row is None else (User(*row[1:]), _unpack(row[0]))

    # Consent

    def consented(self, user: User) -> frozenset[str]:
        """Everything that the user has allowed so far."""
        sql = "SELECT scopes FROM graph_consents WHERE user_n = ? AND refusal IS NULL"
        row = self._database.row(sql, user.n)
        return frozenset() if row is None else _unpack(row[0])

    def consent(self, user: User, scopes: Iterable[str]) -> None:
        """Add to what the user has allowed; what was revoked before stays revoked."""
        with self._database.transaction():
            if self.refusal(user) is not None:
                self._database.run("DELETE FROM graph_tokens WHERE user_n = ?", user.n)
            self._allow(user, self.consented(user) | frozenset(scopes))

    def restore(self, user: User, scopes: Iterable[str]) -> None:
        """Make good again what was refused, as if nothing had been."""
        self._allow(user, scopes)

    def _allow(self, user: User, scopes: Iterable[str]) -> None:
        sql = "INSERT OR REPLACE INTO graph_consents (user_n, scopes) VALUES (?, ?)"
        self._database.run(sql, user.n, _pack(scopes))

    def refusal(self, user: User) -> Refusal | None:
        """Why the user's refresh tokens are not taken; None if they are."""
        sql = "SELECT refusal FROM graph_consents WHERE user_n = ?"
        row = self._database.row(sql, user.n)
        return None if row is None or row[0] is None else Refusal(row[0])

    def refuse(self, user: User, why: Refusal) -> None:
        """Let nothing pass that was granted until the user signs in anew."""
        with self._database.transaction():
            sql = "INSERT OR REPLACE INTO graph_consents (user_n, scopes, refusal) VALUES (?, ?, ?)"
            self._database.run(sql, user.n, _pack(()), why)
            self._database.run("DELETE FROM graph_codes WHERE user_n = ?", user.n)
            self.expire_access_tokens(user)

    def expire_access_tokens(self, user: User) -> None:
        sql = "UPDATE graph_tokens SET expires_ms = 0 WHERE user_n = ? AND kind = 'access'"
        self._database.run(sql, user.n)


def _pack(scopes: Iterable[str]) -> str:
    return json.dumps(sorted(scopes))


def _unpack(packed: str) -> frozenset[str]:
    return frozenset(json.loads(packed))
