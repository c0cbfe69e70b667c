"""Who calls: a program with a bearer token, known anew within seconds of what becomes of it.

https://www.rfc-editor.org/rfc/rfc6750
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from redis.exceptions import RedisError

from pipeline import api_tokens, metrics
from pipeline.config import settings
from pipeline.limits import requests
from pipeline.stores import Row
from pipeline.web.api.problems import Refused

log = logging.getLogger(__name__)

#: How long a token is taken for what it was: a revoked one is refused after that.
KNOWN_SECONDS = 3.0
#: While Redis is down requests are not counted; it is asked again after this.
_REDIS_PAUSE_SECONDS = 5.0
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is; with `tenant_id` it knows of no user but those of that tenant."""

    name: str
    scopes: frozenset[str]
    tenant_id: str | None

    @property
    def actor(self) -> str:
        """Its name in the audit and in jobs."""
        return f"token:{self.name}"

    def knows(self, tenant_id: str | None) -> bool:
        """Return whether it may know of what is of this tenant, or of none."""
        return self.tenant_id is None or self.tenant_id == tenant_id


class SignIn:
    """Finds out who calls.  Tokens that hold are remembered for KNOWN_SECONDS, others are not."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Row]] = {}
        self._lock = threading.Lock()
        self._redis_asked_after = 0.0

    def caller(self, authorization: str) -> Caller:
        """Return who sent this header.  Raises Refused 401 or 429."""
        secret = _secret_of(authorization)
        row = self._token(secret)
        now = datetime.now(UTC)
        if reason := api_tokens.why_refused(row, now):
            raise _unknown(reason, f"the token {row['name']} is {reason}")
        self._count(row["name"])
        return Caller(row["name"], frozenset(row["scopes"]), row.get("tenant_id"))

    def _token(self, secret: str) -> Row:
        digest, now = api_tokens.digest(secret), time.monotonic()
        until, row = self._known.get(digest, (0.0, None))
        if row is None or until < now:
            row = api_tokens.find(digest)
            if row is None:
                raise _unknown("unknown", "there is no such token")
            api_tokens.note_use(row, datetime.now(UTC))
            with self._lock:
                self._known = {d: known for d, known in self._known.items() if known[0] >= now}
                self._known[digest] = (now + KNOWN_SECONDS, row)
        return row

    def _count(self, name: str) -> None:
        """Count the request; while Redis does not answer, serve it all the same."""
        if time.monotonic() < self._redis_asked_after:
            return
        try:
            wait_seconds = requests.take(
                f"token:{name}", settings().api_requests_per_minute, _MINUTE
            )
        except RedisError as error:
            self._redis_asked_after = time.monotonic() + _REDIS_PAUSE_SECONDS
            log.warning("API requests are not counted", extra={"reason": type(error).__name__})
            return
        if wait_seconds:
            metrics.API_REFUSALS.labels("rate").inc()
            after = math.ceil(wait_seconds)
            raise Refused(
                429,
                f"a token may make {settings().api_requests_per_minute} requests a minute; "
                f"try again in {after} s",
                headers={"Retry-After": str(after)},
            )


@cache
def sign_in() -> SignIn:
    """Return what this process knows of tokens."""
    return SignIn()


def _secret_of(authorization: str) -> str:
    scheme, _, secret = authorization.strip().partition(" ")
    if not authorization:
        raise _unknown("none", "send the header `Authorization: Bearer hr_…`", challenge="Bearer")
    if scheme.lower() != "bearer" or not secret.strip():
        raise _unknown("none", "the header Authorization is not `Bearer hr_…`", challenge="Bearer")
    return secret.strip()


def _unknown(reason: str, detail: str, challenge: str = 'Bearer error="invalid_token"') -> Refused:
    metrics.API_REFUSALS.labels(reason).inc()
    hint = "; `headrace tokens create` makes one"
    return Refused(401, detail + hint, headers={"WWW-Authenticate": challenge})


class _Token(SecurityBase):
    """Says in the document that a token is needed; the edge has looked at it already."""

    def __init__(self) -> None:
        self.scheme_name = "token"
        self.model: Any = HTTPBearer(
            bearerFormat="hr_…",
            description="A token that `headrace tokens create` made. Scopes: "
            + " ".join(f"`{name}`: {text}" for name, text in api_tokens.SCOPES.items()),
        )

    async def __call__(self, request: Request) -> Caller:
        caller = request.state.caller
        assert isinstance(caller, Caller)
        return caller


async def _allowed(wanted: SecurityScopes, caller: Annotated[Caller, Depends(_Token())]) -> Caller:
    """Return who calls.  Raises Refused 403 that names the scopes which the token lacks."""
    missing = [scope for scope in wanted.scopes if scope not in caller.scopes]
    if missing:
        metrics.API_REFUSALS.labels("scope").inc()
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(wanted.scopes)}"'
        raise Refused(
            403,
            f"the token {caller.name} lacks the scope {' and '.join(missing)}",
            headers={"WWW-Authenticate": challenge},
        )
    return caller


def allowed(*scopes: str) -> Any:
    """Return the dependency that is the caller, if its token has all of `scopes`."""
    return Security(_allowed, scopes=list(scopes))
