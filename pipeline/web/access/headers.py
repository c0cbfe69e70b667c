"""Headers that make browsers careful with everything that we answer.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.config import settings
from pipeline.web.access.origins import is_https, origin_of

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: that would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds the headers; one that the answer has already stays as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_for(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def headers_for(scope: Scope) -> dict[str, str]:
    """Return the headers that the answer to a request gets."""
    added = _ALWAYS | {"Content-Security-Policy": content_security_policy(scope["path"])}
    if is_https(scope):
        added["Strict-Transport-Security"] = _HSTS
    if not scope["path"].startswith("/static/"):
        added["Cache-Control"] = "no-store"
    return added


def content_security_policy(path: str) -> str:
    """Return what a page at `path` may load: nothing of others, nothing inline.

    The form that begins to connect an account is answered with a redirect to the
    provider's consent page, and who need not be asked again goes on from there at
    once: browsers count all of it as where the form goes.
    """
    policy = dict(_POLICY)
    if path.startswith("/connect/"):
        on_the_way = [origin_of(settings().google_accounts_base_url), *settings().return_origins()]
        policy["form-action"] = " ".join([policy["form-action"], *on_the_way])
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())
