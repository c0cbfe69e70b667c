"""The cookies of signing in, out of reach of scripts and of other sites' requests.

`__Host-` makes browsers refuse one that another host of our domain sets.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Scope

from pipeline.web.access.origins import is_https


def session_cookie(scope: Scope) -> str:
    """Return the name of the cookie that says who is signed in."""
    return _name("headrace_session", scope)


def oidc_cookie(scope: Scope) -> str:
    """Return the name of the cookie that holds a sign-in by OpenID Connect while it goes on."""
    return _name("headrace_oidc", scope)


def put(response: Response, scope: Scope, name: str, value: str, *, seconds: int) -> None:
    """Set a cookie."""
    secure = is_https(scope)
    # Lax, not Strict: a link to a page from elsewhere must find its reader signed in.
    response.set_cookie(name, value, seconds, path="/", secure=secure, httponly=True)


def drop(response: Response, scope: Scope, name: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(name, path="/", secure=is_https(scope), httponly=True)


def _name(name: str, scope: Scope) -> str:
    return f"__Host-{name}" if is_https(scope) else name
