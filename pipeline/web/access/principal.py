"""Who acts, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from starlette.requests import HTTPConnection

from models.admin_user import ROLES
from pipeline.web.access import signing

#: Each may also do what those before it may; as models.ROLES.
Role = Literal["viewer", "operator", "admin"]

_CSRF = "csrf"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts.

    `certain` is false while MongoDB does not answer: then the signed cookie alone
    says who it is, which suffices to look and for nothing else.
    """

    name: str
    role: Role
    session_id: str = ""
    certain: bool = True

    def may(self, role: Role) -> bool:
        """Return whether what needs `role` is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


def principal_of(connection: HTTPConnection) -> Principal:
    """Return who sent a request that SignedIn let through.  Raises RuntimeError for others."""
    principal = getattr(connection.state, "principal", None)
    if not isinstance(principal, Principal):
        raise RuntimeError("a route that needs a sign-in is reached without one")
    return principal


def as_role(text: str) -> Role:
    """Return `text` as a role.  Raises ValueError if it is none."""
    if text not in ROLES:
        raise ValueError(f"there is no role {text[:40]!r}; roles are {', '.join(ROLES)}")
    return cast(Role, text)


def csrf_token(principal: Principal) -> str:
    """Return what pages of this session send along with actions, which other sites do not know."""
    return signing.signature(_CSRF, principal.session_id)


def csrf_token_is_valid(principal: Principal, token: str) -> bool:
    """Return whether `token` is of this session."""
    return signing.verifies(_CSRF, principal.session_id, token)
